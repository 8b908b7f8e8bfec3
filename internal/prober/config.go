package prober

import (
	"context"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/pod"
	"sluice.dev/sluice/internal/probing"
)

// reconcileConfig has one case run when it is due.
func (s *site) reconcileConfig(ctx context.Context, q reconcile.Request) (reconcile.Result, error) {
	if err := s.adopt(ctx); err != nil {
		return reconcile.Result{}, err
	}
	c := &probing.Config{}
	err := s.seen.Get(ctx, q.NamespacedName, c)
	if apierrors.IsNotFound(err) || err == nil && c.DeletionTimestamp != nil {
		if k := s.caseOf(q.NamespacedName); k != nil {
			if err := s.leftBy(ctx, k.now()); err != nil {
				return reconcile.Result{}, err
			}
		}
		return reconcile.Result{}, s.gone(ctx, q.NamespacedName)
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	k, ours := s.see(c)
	if !ours {
		return reconcile.Result{RequeueAfter: time.Minute}, s.refuse(ctx, c)
	}
	slots, problem := s.check(c)
	k.mu.Lock()
	changed := k.problem != problem || c.Status.ObservedGeneration != c.Generation
	if changed {
		k.problem, k.dirty = problem, true
	}
	k.mu.Unlock()
	wait := time.Duration(0)
	if problem == "" {
		if wait, err = s.due(ctx, k, c, slots); err != nil {
			return reconcile.Result{}, err
		}
	}
	if c.Spec.Mode == probing.Resident && !changed {
		// Every write leads here: a report in between must not lead to the next one.
		owed, left := k.owes(s.Clock.Now())
		if owed && left > 0 && (wait == 0 || left < wait) {
			wait = left
		}
		if !owed || left > 0 {
			return reconcile.Result{RequeueAfter: wait}, nil
		}
	}
	return reconcile.Result{RequeueAfter: wait}, s.writeStatus(ctx, k)
}

// due makes the runs of a case that are due, and returns when it has to be asked again; 0 never.
func (s *site) due(ctx context.Context, k *known, c *probing.Config, slots *probing.Slots) (time.Duration, error) {
	if c.Spec.Mode == probing.Resident {
		return s.keepResident(ctx, k, c)
	}
	if err := s.byHand(ctx, k, c); err != nil || slots == nil {
		return 0, err
	}
	now := s.Clock.Now()
	k.mu.Lock()
	since := c.CreationTimestamp.Time
	if k.lastSlot != nil {
		since = k.lastSlot.Time
	}
	k.mu.Unlock()
	if since.After(now.Add(time.Second)) { // somebody's clock was ahead: what is due goes by this one
		if err := s.turnedBack(ctx, c, now); err != nil {
			return 0, err
		}
		since = now
		k.mu.Lock()
		k.lastSlot, k.dirty = new(metav1.NewTime(now)), true
		k.mu.Unlock()
	}
	since, err := s.resume(ctx, k, c, slots, since)
	if err != nil {
		return 0, err
	}
	slot, missed := slots.Due(since, now)
	if !slot.IsZero() {
		more, err := s.bySchedule(ctx, c, slots, slot)
		if err != nil {
			return 0, err
		}
		k.mu.Lock()
		k.begun(slot, missed+more)
		k.mu.Unlock()
	}
	next := slots.Next(now)
	if next.IsZero() {
		return 0, nil
	}
	return max(next.Sub(now), time.Millisecond), nil
}

// turnedBack takes away what a clock that was ahead has run for slots that are yet to come: it would be taken for their runs.
func (s *site) turnedBack(ctx context.Context, c *probing.Config, now time.Time) error {
	all, err := s.runsOf(ctx, c)
	if err != nil {
		return err
	}
	for i := range all {
		of := all[i].Spec.Cause
		if of.Kind != probing.BySchedule || of.At == nil || !of.At.After(now) || !all[i].Status.Told {
			continue
		}
		if err := s.api.Delete(ctx, &all[i], client.Preconditions{UID: &all[i].UID}); client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	return nil
}

// resume goes on where another process was killed between the runs of a slot and writing that down, and returns what comes after. The slot
// is as its runs name it: what they have made of it is not missed.
func (s *site) resume(ctx context.Context, k *known, c *probing.Config, slots *probing.Slots, since time.Time) (time.Time, error) {
	k.mu.Lock()
	resumed := k.resumed
	k.mu.Unlock()
	if resumed {
		return since, nil
	}
	all, err := s.runsOf(ctx, c)
	if err != nil {
		return since, err
	}
	begun, now := since, s.Clock.Now()
	for i := range all {
		of := all[i].Spec.Cause
		if of.Kind == probing.BySchedule && of.At != nil && of.At.After(begun) && !of.At.After(now) {
			begun = *of.At
		}
	}
	var missed int64
	if begun.After(since) {
		_, missed = slots.Due(since, begun)
		more, err := s.bySchedule(ctx, c, slots, begun)
		if err != nil {
			return since, err
		}
		missed += more
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.resumed = true
	if begun.After(since) {
		k.begun(begun, missed)
	}
	return begun, nil
}

// begun notes that the runs of a slot are made, and how many are not. The caller holds the lock.
func (k *known) begun(slot time.Time, missed int64) {
	k.lastSlot, k.dirty = new(metav1.NewTime(slot.Add(time.Second-time.Nanosecond).Truncate(time.Second))), true
	k.missed += missed
}

// bySchedule makes the runs of a slot, and returns how many it leaves out: it is too late for them, or the last ones are not over.
func (s *site) bySchedule(ctx context.Context, c *probing.Config, slots *probing.Slots, slot time.Time) (missed int64, err error) {
	targets, err := s.targets(ctx, c, nil, s.cluster+"/"+c.Name)
	if err != nil {
		return 0, err
	}
	if err := s.thin(ctx, c); err != nil {
		return 0, err
	}
	late := s.Clock.Now().Sub(slot) > slots.Late()
	cause := probing.Cause{Kind: probing.BySchedule, Key: slot.UTC().Format(time.RFC3339Nano), At: &slot}
	for _, target := range targets {
		if late || s.queue.busy(spot{c.Name, target}) {
			made, err := s.isMade(ctx, types.NamespacedName{Namespace: c.Namespace, Name: probing.RunName(c.Name, target, cause)})
			if err != nil {
				return 0, err
			}
			if !made {
				missed++
			}
			continue
		}
		if err := s.create(ctx, c, target, cause); err != nil {
			return 0, err
		}
	}
	return missed, nil
}

// isMade reports whether there is a run, by this process or by one before it.
func (s *site) isMade(ctx context.Context, run types.NamespacedName) (bool, error) {
	if s.queue.has(run) {
		return true, nil
	}
	err := s.seen.Get(ctx, run, &probing.Run{})
	return err == nil, client.IgnoreNotFound(err)
}

// runsOf are the runs of a case, as far as they are seen.
func (s *site) runsOf(ctx context.Context, c *probing.Config) ([]probing.Run, error) {
	all := &probing.RunList{}
	ofCase := client.MatchingLabels{probing.LabelCase: pod.LabelValue(c.Name)}
	err := s.seen.List(ctx, all, client.InNamespace(c.Namespace), ofCase)
	return all.Items, err
}

// thin takes away the oldest runs of a case's schedule that are over, where there are too many: a case may run each second.
func (s *site) thin(ctx context.Context, c *probing.Config) error {
	all, err := s.runsOf(ctx, c)
	if err != nil {
		return err
	}
	over := slices.DeleteFunc(all, func(r probing.Run) bool {
		return r.Spec.Cause.Kind != probing.BySchedule || !r.Status.Told || r.Status.Ended == nil || r.DeletionTimestamp != nil
	})
	slices.SortFunc(over, func(a, b probing.Run) int { return a.Status.Ended.Compare(b.Status.Ended.Time) })
	for i := range over[:max(0, len(over)-maxKept)] {
		if err := s.api.Delete(ctx, &over[i], client.Preconditions{UID: &over[i].UID}); client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	return nil
}

// byHand makes the runs that somebody has written for.
func (s *site) byHand(ctx context.Context, k *known, c *probing.Config) error {
	value := clip.Bytes(c.Annotations[probing.AnnotationRunNow], 253)
	k.mu.Lock()
	answered := k.runNow == value
	k.mu.Unlock()
	if answered {
		return nil
	}
	if value != "" {
		targets, err := s.targets(ctx, c, nil, s.cluster+"/"+c.Name)
		if err != nil {
			return err
		}
		cause := probing.Cause{Kind: probing.ByHand, Key: value, Text: "annotation " + probing.AnnotationRunNow}
		for _, target := range targets {
			if err := s.create(ctx, c, target, cause); err != nil {
				return err
			}
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.runNow, k.dirty = value, true
	return nil
}

// create makes a run, or finds it.
func (s *site) create(ctx context.Context, c *probing.Config, target string, cause probing.Cause) error {
	r := &probing.Run{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: probing.RunName(c.Name, target, cause)},
		Spec:       probing.RunSpec{Case: c.Name, Target: target, Cause: cause},
	}
	own(r, c)
	if cause.Kind != probing.ByMode {
		s.queue.expect(client.ObjectKeyFromObject(r), spotOf(r))
	}
	err := s.api.Create(ctx, r)
	switch {
	case err == nil:
		return nil
	case !apierrors.IsAlreadyExists(err):
		s.next(client.ObjectKeyFromObject(r))
		return err
	}
	if err := s.api.Get(ctx, client.ObjectKeyFromObject(r), r); err == nil && r.Status.Phase == probing.RunDone {
		s.next(client.ObjectKeyFromObject(r)) // nobody else says so
	}
	return nil
}

// check is why a case cannot run at all; "" where it can.
func (s *site) check(c *probing.Config) (slots *probing.Slots, problem string) {
	slots, err := probing.NewSlots(c.Spec.Schedule, s.cluster, c.Name)
	if err == nil {
		like := &probing.Run{Spec: probing.RunSpec{Case: c.Name}}
		like.Namespace, like.Name, like.UID = c.Namespace, c.Name, types.UID("check")
		_, err = s.podOf(c, like, nil)
	}
	if err != nil {
		return nil, clip.Bytes(err.Error(), maxMessage)
	}
	if c.Spec.Timeout.Duration <= 0 {
		return nil, "its timeout is not above 0"
	}
	return slots, ""
}

// refuse says that a case cannot be run, as another one has its name, or as there are too many.
func (s *site) refuse(ctx context.Context, c *probing.Config) error {
	problem := "a cluster has at most 1000 cases"
	s.mu.Lock()
	if k := s.cases[c.Name]; k != nil {
		problem = "another case of this name is in namespace " + k.name.Namespace + ": there is one of a name in a cluster"
	}
	s.mu.Unlock()
	if c.Status.Problem == problem && c.Status.ObservedGeneration == c.Generation {
		return nil
	}
	c.Status.Problem, c.Status.ObservedGeneration = problem, c.Generation
	return client.IgnoreNotFound(s.api.Status().Update(ctx, c))
}

// gone forgets a case, and says so.
func (s *site) gone(ctx context.Context, name types.NamespacedName) error {
	k := s.caseOf(name)
	if k == nil {
		return nil
	}
	if err := s.Say(ctx, probing.Said{Cluster: s.cluster, At: s.Clock.Now(), Gone: []string{name.Name}}); err != nil {
		return err
	}
	c := k.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.cases, name.Name)
	s.past = append(s.past, c)
	s.past = s.past[max(0, len(s.past)-maxCases):]
	return nil
}
