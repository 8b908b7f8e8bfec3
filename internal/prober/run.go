package prober

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/pod"
	"sluice.dev/sluice/internal/probing"
)

// reconcileRun brings one run on. What it does is written down before it is done, so that whoever comes after a crash finds the same pod.
func (s *site) reconcileRun(ctx context.Context, q reconcile.Request) (reconcile.Result, error) {
	if err := s.adopt(ctx); err != nil {
		return reconcile.Result{}, err
	}
	r := &probing.Run{}
	if err := s.seen.Get(ctx, q.NamespacedName, r); err != nil {
		if apierrors.IsNotFound(err) {
			s.leave(q.NamespacedName)
			return reconcile.Result{}, s.orphans(ctx, s.caseOfRun(q.NamespacedName), q.NamespacedName)
		}
		return reconcile.Result{}, err
	}
	if r.DeletionTimestamp != nil {
		s.leave(q.NamespacedName)
		return reconcile.Result{}, nil
	}
	s.mu.Lock()
	s.byUID[r.UID] = q.NamespacedName
	s.mu.Unlock()
	mended(r)
	var wait time.Duration
	var err error
	switch r.Status.Phase {
	case probing.RunPending:
		wait, err = s.begin(ctx, r)
	case probing.RunRunning:
		wait, err = s.follow(ctx, r)
	default:
		wait, err = s.settle(ctx, r)
	}
	if apierrors.IsConflict(err) { // what was read is old: what is new is on its way
		return reconcile.Result{RequeueAfter: 100 * time.Millisecond}, nil
	}
	return reconcile.Result{RequeueAfter: wait}, err
}

// mended is a run with the times that it has by its phase: a status can be written by others, too.
func mended(r *probing.Run) {
	of := map[probing.RunPhase][]**metav1.Time{
		probing.RunRunning: {&r.Status.Started, &r.Status.Deadline}, probing.RunDone: {&r.Status.Started, &r.Status.Ended},
	}
	for _, at := range of[r.Status.Phase] {
		if *at == nil {
			*at = &r.CreationTimestamp
		}
	}
	if r.Status.Phase == probing.RunDone && r.Status.Result == nil {
		r.Status.Result = new(couldNot(codeInvalid, "it is over, and nobody says what came of it"))
	}
}

// adopt has the queue know the runs that have begun before anybody else begins.
func (s *site) adopt(ctx context.Context) error {
	s.adopting.Lock()
	defer s.adopting.Unlock()
	if s.adopted {
		return nil
	}
	all := &probing.RunList{}
	if err := s.seen.List(ctx, all); err != nil {
		return err
	}
	for i := range all.Items {
		r := &all.Items[i]
		s.mu.Lock()
		s.byUID[r.UID] = client.ObjectKeyFromObject(r)
		s.mu.Unlock()
		if r.Status.Phase == probing.RunRunning && r.Spec.Cause.Kind != probing.ByMode {
			s.queue.adopt(client.ObjectKeyFromObject(r), spotOf(r))
		}
	}
	s.adopted = true
	return nil
}

// isAdopted reports whether what a cluster has is known.
func (s *site) isAdopted() bool {
	s.adopting.Lock()
	defer s.adopting.Unlock()
	return s.adopted
}

func spotOf(r *probing.Run) spot { return spot{r.Spec.Case, r.Spec.Target} }

// leave makes room in the queue.
func (s *site) leave(run types.NamespacedName) {
	s.mu.Lock()
	for uid, name := range s.byUID {
		if name == run {
			delete(s.byUID, uid)
			delete(s.made, uid)
			delete(s.residents, uid)
		}
	}
	s.mu.Unlock()
	s.next(run)
}

// next says that a run has its pod no more, and wakes who may have one now.
func (s *site) next(run types.NamespacedName) {
	for _, w := range s.queue.leave(run) {
		s.rouse(w)
	}
}

// begin begins a run where it may.
func (s *site) begin(ctx context.Context, r *probing.Run) (time.Duration, error) {
	now, key := s.Clock.Now(), client.ObjectKeyFromObject(r)
	c, err := s.config(ctx, types.NamespacedName{Namespace: r.Namespace, Name: r.Spec.Case})
	if apierrors.IsNotFound(err) {
		return 0, s.finish(ctx, r, couldNot(codeNoCase, "there is no ProbeConfig %s in namespace %s", r.Spec.Case, r.Namespace))
	} else if err != nil {
		return 0, err
	}
	if why := s.foreign(r, c); why != "" {
		return 0, s.finish(ctx, r, couldNot(codeInvalid, "%s", why))
	}
	if !owned(r, c) {
		own(r, c)
		return 0, s.api.Update(ctx, r) // which comes back here
	}
	resident := r.Spec.Cause.Kind == probing.ByMode
	if !resident && !s.queue.enter(key, spotOf(r)) {
		if waited := now.Sub(r.CreationTimestamp.Time); waited >= pendMost {
			return 0, s.finish(ctx, r, couldNot(codeNoRoom, "it has waited for %s while others ran", pendMost))
		}
		return 30 * time.Second, nil
	}
	ill, why, err := s.nodes(ctx, nodeOf(c, r), apartFrom(c, r))
	if err != nil {
		return 0, err
	}
	if why != "" {
		return 0, s.finish(ctx, r, couldNot(codeNode, "%s", why))
	}
	r.Status.Deadline = new(metav1.NewTime(now.Add(startAllowance + c.Spec.Timeout.Duration)))
	want, err := s.podOf(c, r, ill)
	if err != nil {
		return 0, s.finish(ctx, r, couldNot(codeInvalid, "%s", err))
	}
	if err := s.sweep(ctx, c, r); err != nil {
		return 0, err
	}
	r.Status.Phase, r.Status.Version, r.Status.Started = probing.RunRunning, c.Spec.Version, new(metav1.NewTime(now))
	r.Status.Program = c.Spec.Program()
	if err := s.api.Status().Update(ctx, r); err != nil {
		return 0, err
	}
	return s.make(ctx, r, want)
}

// foreign is why a run that somebody has written is none of a case that runs here; "" where it is one.
func (s *site) foreign(r *probing.Run, c *probing.Config) string {
	_, ours := s.see(c)
	switch {
	case !ours:
		return "another case of its name runs in the cluster, or too many do"
	case r.Spec.Cause.Kind == probing.ByMode && c.Spec.Mode != probing.Resident:
		return "its case is no resident: who is one is in no queue, and has no end"
	case pod.LabelValue(r.Name) != r.Name:
		return "its name is longer than the label by which its pods are found"
	}
	return ""
}

// make makes the pod of a run, or finds it.
func (s *site) make(ctx context.Context, r *probing.Run, want *corev1.Pod) (time.Duration, error) {
	err := s.api.Create(ctx, want)
	if apierrors.IsAlreadyExists(err) {
		there := &corev1.Pod{}
		if err := s.api.Get(ctx, client.ObjectKeyFromObject(want), there); err != nil {
			return 0, client.IgnoreNotFound(err)
		}
		if !pod.Of(there, purpose, keyOf(r)) {
			return 0, s.finish(ctx, r, couldNot(codeRefused, "pod %s is there, and was made for something else", want.Name))
		}
		err = nil
	}
	switch {
	case err == nil:
	case apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsNotFound(err) || apierrors.IsBadRequest(err):
		return 0, s.finish(ctx, r, couldNot(codeRefused, "the API server does not take its pod: %s", err))
	case s.Clock.Since(r.Status.Started.Time) > beginWithin:
		return 0, s.finish(ctx, r, couldNot(codeUnreached, "its pod cannot be made: %s", err))
	default:
		return 0, err
	}
	s.mu.Lock()
	s.made[r.UID] = true
	s.mu.Unlock()
	r.Status.Pod = want.Name
	return beginWithin, s.api.Status().Update(ctx, r)
}

// follow sees how far the pod of a run is.
func (s *site) follow(ctx context.Context, r *probing.Run) (time.Duration, error) {
	now := s.Clock.Now()
	p, err := s.podSeen(ctx, r)
	if err != nil {
		return 0, err
	}
	if p == nil && r.Status.Pod == "" && !s.hasMade(r) { // killed before it was made, or before that was written down
		c, err := s.config(ctx, types.NamespacedName{Namespace: r.Namespace, Name: r.Spec.Case})
		if err != nil {
			return 0, client.IgnoreNotFound(err) // the run goes with its case
		}
		ill, _, err := s.nodes(ctx, "", apartFrom(c, r)) // of its own it will be told when it does not begin
		if err != nil {
			return 0, err
		}
		want, err := s.podOf(c, r, ill)
		if err != nil {
			return 0, s.finish(ctx, r, couldNot(codeInvalid, "%s", err))
		}
		return s.make(ctx, r, want)
	}
	if p == nil {
		return 0, s.finish(ctx, r, couldNot(pod.Deleted, "somebody took its pod away before it had ended"))
	}
	if p.Spec.NodeName != "" && r.Status.Node == "" {
		r.Status.Node = p.Spec.NodeName // written with the next thing that is
	}
	if end, ended := pod.EndOf(p); ended {
		return 0, s.ended(ctx, r, p, end)
	}
	if !pod.Started(p) {
		if left := r.Status.Started.Add(beginWithin).Sub(now); left > 0 {
			return left, nil
		}
		if err := s.finish(ctx, r, couldNot(codeBegun, "its pod did not begin within %s: %s", beginWithin, pod.Waits(p))); err != nil {
			return 0, err
		}
		return 0, s.remove(ctx, p) // after that is written: else somebody seems to have taken it away
	}
	if r.Spec.Cause.Kind == probing.ByMode {
		return s.followResident(ctx, r, p)
	}
	return s.followBegun(ctx, r, p)
}

// followBegun waits for a program to come to its end. It has the whole time of its case, from when it began.
func (s *site) followBegun(ctx context.Context, r *probing.Run, p *corev1.Pod) (time.Duration, error) {
	c, err := s.config(ctx, types.NamespacedName{Namespace: r.Namespace, Name: r.Spec.Case})
	if err != nil {
		return 0, client.IgnoreNotFound(err) // the run goes with its case
	}
	if whole := s.wholeOf(c, r, p); whole.After(r.Status.Deadline.Time.Add(time.Second)) {
		r.Status.Deadline = new(metav1.NewTime(whole))
		if err := s.api.Status().Update(ctx, r); err != nil {
			return 0, err
		}
	}
	if left := r.Status.Deadline.Add(lingers).Sub(s.Clock.Now()); left > 0 {
		return left, nil
	}
	// What is seen may be behind what has happened a moment ago, and this is the word by which a change is taken back.
	if err := s.api.Get(ctx, client.ObjectKeyFromObject(p), p); err != nil {
		return lifeEvery, client.IgnoreNotFound(err) // it will be seen that it is gone
	}
	if _, ended := pod.EndOf(p); ended {
		return lifeEvery, nil // and that it has ended
	}
	result := s.overdue(ctx, r, p, fmt.Sprintf("it did not come to an end within %s", c.Spec.Timeout.Duration))
	if result.Verdict == api.Failed {
		dead, wait, err := s.lives(ctx, r, p, c.Spec.Timeout.Duration)
		if err != nil || wait > 0 {
			return wait, err
		}
		if dead != "" {
			result = couldNot(codeNode, "%s; %s", result.Message, dead)
		}
	}
	if err := s.finish(ctx, r, result); err != nil {
		return 0, err
	}
	return 0, s.remove(ctx, p)
}

// overdue is the result of a program that began, had all its time and said nothing: it failed. Where nobody could have heard it, or its
// node is not well, that says nothing about what it looks at.
func (s *site) overdue(ctx context.Context, r *probing.Run, p *corev1.Pod, what string) probing.Result {
	if _, why, err := s.nodes(ctx, p.Spec.NodeName, ""); err == nil && why != "" {
		return couldNot(codeNode, "%s; %s", what, why)
	}
	if why := s.wasIll(ctx, p.Spec.NodeName, beganAt(p)); why != "" {
		return couldNot(codeNode, "%s; %s", what, why)
	}
	if s.away(r) {
		return couldNot(codeAway, "%s, and its reports could not be taken all that time", what)
	}
	result := couldNot(codeTimeout, "%s", what)
	result.Verdict = api.Failed
	return result
}

// away reports whether there was a time, while a run was under way, in which its report could not be taken.
func (s *site) away(r *probing.Run) bool {
	return r.Status.Started.Time.Before(s.from().Add(-time.Second))
} // as times are written

// from is since when nothing was missed. By a clock that was set back since then, that is now.
func (s *site) from() time.Time {
	now := s.Clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since.After(now) {
		s.since = now
	}
	return s.since
}

// hasMade reports whether this process has made the pod of a run, whatever it has seen of that since.
func (s *site) hasMade(r *probing.Run) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.made[r.UID]
}

// ended takes the end of a pod for the result of a run that has not reported.
func (s *site) ended(ctx context.Context, r *probing.Run, p *corev1.Pod, end pod.End) error {
	result := judge(end)
	silent := end.Reason == "" && end.Said == ""
	switch {
	case r.Spec.Cause.Kind == probing.ByMode:
		why := joined(fmt.Sprintf("exit status %d", end.Exit), joined(end.Reason, end.Said))
		result = couldNot(codeEnded, "it is to run for ever, and has ended: %s", why)
	case end.Reason == "DeadlineExceeded":
		result = s.overdue(ctx, r, p, "its node ended it, as it did not come to an end by itself")
	case silent && s.away(r):
		result = couldNot(codeAway, "it ended with exit status %d, and its report could not be taken", end.Exit)
	case silent && end.Exit == 0 && s.mustReport(ctx, r):
		result = couldNot(codeUnsaid, "it ended with exit status 0, and has not reported")
	}
	if err := s.finish(ctx, r, result); err != nil {
		return err
	}
	if !pod.Started(p) { // it must not begin any more
		return s.remove(ctx, p)
	}
	return nil
}

// mustReport reports whether the program of a run was written for a contract by which an end without a report is none.
func (s *site) mustReport(ctx context.Context, r *probing.Run) bool {
	c, err := s.config(ctx, types.NamespacedName{Namespace: r.Namespace, Name: r.Spec.Case})
	return err == nil && c.Spec.Pod.Contract != ""
}

// beganAt is when the program of a pod began, by the clock of its node.
func beganAt(p *corev1.Pod) time.Time {
	for _, c := range p.Status.ContainerStatuses {
		if c.State.Running != nil {
			return c.State.Running.StartedAt.Time
		}
	}
	return p.CreationTimestamp.Time
}

// finish writes the result of a run. Two who do are one: the API server takes the first.
func (s *site) finish(ctx context.Context, r *probing.Run, result probing.Result) error {
	now := metav1.NewTime(s.Clock.Now())
	if r.Status.Started == nil {
		r.Status.Started = &now
	}
	r.Status.Phase, r.Status.Ended, r.Status.Result = probing.RunDone, &now, &result
	s.died(r, 0) // before somebody hears of it, and makes the next one
	if err := s.api.Status().Update(ctx, r); err != nil {
		return client.IgnoreNotFound(err)
	}
	s.died(r, 1)
	s.next(client.ObjectKeyFromObject(r)) // a resident is in no queue
	return nil
}

// settle tells of a run that is over, and takes it away when its time has come.
func (s *site) settle(ctx context.Context, r *probing.Run) (time.Duration, error) {
	s.next(client.ObjectKeyFromObject(r))
	c, err := s.config(ctx, types.NamespacedName{Namespace: r.Namespace, Name: r.Spec.Case})
	if client.IgnoreNotFound(err) != nil {
		return 0, err
	}
	if err != nil {
		c = nil
	}
	if !r.Status.Told {
		if err := s.tell(ctx, c, r); err != nil {
			return 0, err
		}
		r.Status.Told = true
		if err := s.api.Status().Update(ctx, r); err != nil {
			return 0, client.IgnoreNotFound(err)
		}
		s.forgetTold(r)
	}
	wait, err := s.clear(ctx, c, r)
	if left := r.Status.Ended.Add(keepOf(c)).Sub(s.Clock.Now()); left > 0 {
		if err != nil {
			return 0, err
		}
		if wait > 0 {
			left = min(left, wait)
		}
		return left, nil
	} // what cannot be cleared keeps no run for ever: it is tried again once that is gone
	return 0, client.IgnoreNotFound(s.api.Delete(ctx, r, client.Preconditions{UID: &r.UID}))
}

// config is a case, also where it is too new to have been seen.
func (s *site) config(ctx context.Context, name types.NamespacedName) (*probing.Config, error) {
	c := &probing.Config{}
	err := s.seen.Get(ctx, name, c)
	if apierrors.IsNotFound(err) {
		err = s.api.Get(ctx, name, c)
	}
	return c, err
}

// podSeen is the pod of a run; nil where there is none.
func (s *site) podSeen(ctx context.Context, r *probing.Run) (*corev1.Pod, error) {
	name := types.NamespacedName{Namespace: r.Namespace, Name: pod.Name(purpose, keyOf(r))}
	p := &corev1.Pod{}
	err := s.seen.Get(ctx, name, p)
	if apierrors.IsNotFound(err) { // or not seen yet
		err = s.api.Get(ctx, name, p)
	}
	if apierrors.IsNotFound(err) || err == nil && !pod.Of(p, purpose, keyOf(r)) {
		return nil, nil
	}
	return p, err
}

// remove takes a pod away, at once where its node is gone: it would wait for that for ever. One that is gone is none.
func (s *site) remove(ctx context.Context, p *corev1.Pod) error {
	options := []client.DeleteOption{client.Preconditions{UID: &p.UID}}
	if lost, err := s.lost(ctx, p); err != nil {
		return err
	} else if lost {
		options = append(options, client.GracePeriodSeconds(0))
	}
	err := s.api.Delete(ctx, p, options...)
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}

func owned(r *probing.Run, c *probing.Config) bool {
	for _, o := range r.OwnerReferences {
		if o.UID == c.UID {
			return r.Labels[probing.LabelCase] == pod.LabelValue(c.Name)
		}
	}
	return false
}

// own has a run go with its case, and be found by it.
func own(r *probing.Run, c *probing.Config) {
	if r.Labels == nil {
		r.Labels = map[string]string{}
	}
	r.Labels[probing.LabelCase] = pod.LabelValue(c.Name)
	for _, o := range r.OwnerReferences {
		if o.UID == c.UID {
			return
		}
	}
	r.OwnerReferences = append(r.OwnerReferences, metav1.OwnerReference{
		APIVersion: probing.GroupVersion.String(), Kind: probing.KindConfig, Name: c.Name, UID: c.UID,
	})
}
