package prober

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/kuberhealthy"
	"sluice.dev/sluice/internal/pod"
	"sluice.dev/sluice/internal/probing"
)

// A resident is a run that never ends by itself. Where its case changes, or its pod goes, the next one runs before it is ended.

// resident is what a process knows of one.
type resident struct {
	seq     int64 // of the last report
	last    time.Time
	reports int64
	left    int64 // reports that nobody looked at: too many, or out of order
}

// patience is with the residents of a target. Each target has its own: what crashes on one node runs on the others.
type patience struct {
	deaths int       // in a row
	again  time.Time // before which none is made
}

const (
	// againFirst and againMost are for how long a resident is left alone whose last one came to nothing.
	againFirst = 5 * time.Second
	againMost  = 5 * time.Minute
	// statusPause is the least time between two writes of a resident's status while it turns to and fro.
	statusPause = 5 * time.Second
)

// generation is what the key of a resident's cause begins with: of one that is as its case is now.
func generation(c *probing.Config) string { return fmt.Sprintf("%d/", c.Generation) }

// keepResident has one run of a case for each target.
func (s *site) keepResident(ctx context.Context, k *known, c *probing.Config) (time.Duration, error) {
	targets, err := s.targets(ctx, c, nil, s.cluster+"/"+c.Name)
	if err != nil {
		return 0, err
	}
	all := &probing.RunList{}
	ofCase := client.MatchingLabels{probing.LabelCase: pod.LabelValue(c.Name)}
	if err := s.api.List(ctx, all, client.InNamespace(c.Namespace), ofCase); err != nil {
		return 0, err
	}
	of := map[string][]*probing.Run{}
	for i := range all.Items {
		if r := &all.Items[i]; r.Spec.Cause.Kind == probing.ByMode && r.Status.Phase != probing.RunDone {
			of[r.Spec.Target] = append(of[r.Spec.Target], r)
		}
	}
	k.forgetTries(targets)
	wait := againMost // what rouses a case may be lost
	for _, target := range targets {
		left, err := s.keepOne(ctx, k, c, target, of[target])
		if err != nil {
			return 0, err
		}
		if left > 0 {
			wait = min(wait, left)
		}
		delete(of, target)
	}
	for _, runs := range of { // of nodes that are gone, or are not looked at any more
		for _, r := range runs {
			if err := s.replace(ctx, r); err != nil {
				return 0, err
			}
		}
	}
	return wait, nil
}

// keepOne has one of the runs of a target go on, makes one where none can, and ends the others once it reports.
func (s *site) keepOne(ctx context.Context, k *known, c *probing.Config, target string, runs []*probing.Run) (time.Duration, error) {
	slices.SortFunc(runs, func(a, b *probing.Run) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), cmp.Compare(b.Name, a.Name))
	})
	var current *probing.Run
	for _, r := range runs {
		if !strings.HasPrefix(r.Spec.Cause.Key, generation(c)) {
			continue
		}
		going, err := s.going(ctx, r)
		if err != nil {
			return 0, err
		}
		if !going {
			current = r
			break
		}
	}
	now := s.Clock.Now()
	if current == nil {
		if left := k.tryAgain(target, now); left > 0 {
			return left, nil
		}
		cause := probing.Cause{Kind: probing.ByMode, Key: generation(c) + now.UTC().Format(time.RFC3339Nano)}
		return againMost, s.create(ctx, c, target, cause)
	}
	if !s.reported(current) {
		return againMost, nil // it comes back here when it does
	}
	for _, r := range runs {
		if r.Name != current.Name {
			if err := s.replace(ctx, r); err != nil {
				return 0, err
			}
		}
	}
	return 0, nil
}

// patienceWith is that with the residents of a target. The caller holds the lock.
func (k *known) patienceWith(target string) *patience {
	if k.tries[target] == nil {
		k.tries[target] = &patience{}
	}
	return k.tries[target]
}

// tryAgain returns for how long no resident of a target is made yet. Where it is 0, one is made now.
func (k *known) tryAgain(target string, now time.Time) (left time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p := k.patienceWith(target)
	if left = p.again.Sub(now); left > 0 && left <= againMost { // longer only by a clock that was ahead
		return left
	}
	p.again = now.Add(againFirst)
	return 0
}

// forgetTries forgets the targets that a case does not have any more.
func (k *known) forgetTries(targets []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	maps.DeleteFunc(k.tries, func(target string, _ *patience) bool { return !slices.Contains(targets, target) })
}

// going reports whether the pod of a resident is about to go, with or without its node.
func (s *site) going(ctx context.Context, r *probing.Run) (bool, error) {
	if r.Status.Pod == "" {
		return false, nil
	}
	p, err := s.podSeen(ctx, r)
	if err != nil || p == nil {
		return true, err
	}
	_, why, err := s.nodes(ctx, p.Spec.NodeName, "")
	return p.DeletionTimestamp != nil || why != "" && p.Spec.NodeName != "", err
}

func (s *site) reported(r *probing.Run) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.residents[r.UID]
	return known != nil && known.reports > 0
}

// replace ends a resident that another one has taken the place of.
func (s *site) replace(ctx context.Context, r *probing.Run) error {
	result := couldNot(codeReplaced, "another one runs in its place")
	result.Verdict = api.Skipped
	return s.finish(ctx, r, result)
}

// followResident waits for a resident that has begun: until it says nothing for too long.
func (s *site) followResident(ctx context.Context, r *probing.Run, p *corev1.Pod) (time.Duration, error) {
	name := types.NamespacedName{Namespace: r.Namespace, Name: r.Spec.Case}
	c, err := s.config(ctx, name)
	if err != nil {
		return 0, client.IgnoreNotFound(err)
	}
	if going, err := s.going(ctx, r); err != nil {
		return 0, err
	} else if going { // a node may be seen to be ill before it is seen what is on it
		s.rouseCase(name)
	}
	began := r.Status.Started.Time
	if at := beganAt(p); at.After(began) && at.Before(began.Add(beginWithin)) { // else a clock is far off
		began = at
	}
	if from := s.from(); from.After(began) {
		began = from
	}
	limit := c.Spec.Timeout.Duration + startAllowance
	s.mu.Lock()
	if known := s.residents[r.UID]; known != nil && known.last.After(began) {
		began, limit = known.last, max(c.Spec.Freshness.Duration, limit)
	}
	s.mu.Unlock()
	if left := began.Add(limit).Sub(s.Clock.Now()); left > 0 {
		return left, nil
	}
	if err := s.finish(ctx, r, couldNot(codeSilent, "it has said nothing for %s", limit)); err != nil {
		return 0, err
	}
	return 0, s.remove(ctx, p)
}

// rouseCase has a case looked at again.
func (s *site) rouseCase(name types.NamespacedName) {
	c := &probing.Config{}
	c.Namespace, c.Name = name.Namespace, name.Name
	select {
	case s.wakeCase <- event.GenericEvent{Object: c}:
	default: // it is looked at again within againMost
	}
}

// died has the next one of a resident wait the longer the more of them came to nothing in a row, and counts so many more.
func (s *site) died(r *probing.Run, more int) {
	k := s.caseOf(types.NamespacedName{Namespace: r.Namespace, Name: r.Spec.Case})
	if k == nil || r.Spec.Cause.Kind != probing.ByMode || r.Status.Result.Code == codeReplaced {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	p := k.patienceWith(r.Spec.Target)
	p.again = s.Clock.Now().Add(min(againFirst<<min(p.deaths, 10), againMost))
	p.deaths += more
}

// takeResident takes a report of a resident: it is counted here, and written nowhere unless the case turns.
func (s *site) takeResident(ctx context.Context, r *probing.Run, result probing.Result, report kuberhealthy.Report) error {
	k, now := s.caseOf(types.NamespacedName{Namespace: r.Namespace, Name: r.Spec.Case}), s.Clock.Now()
	if k == nil || r.Status.Phase == probing.RunDone {
		return nil
	}
	if p, err := s.podSeen(ctx, r); err == nil && p != nil {
		r.Status.Node = p.Spec.NodeName
	}
	first, counts := s.count(k, r, report, now)
	if first {
		s.rouseCase(k.name)
	}
	if !counts {
		return nil
	}
	o := s.outcome(r, k.now())
	o.Target, o.Ended, o.Result = cmp.Or(report.Target, o.Target), now, result
	o.ID = fmt.Sprintf("%s#%d", r.UID, cmp.Or(report.Seq, now.UnixMilli()))
	k.mu.Lock()
	stands, turned := k.fold(o, r.Name, now)
	k.owed = k.owed || turned
	k.mu.Unlock()
	if !turned {
		return nil
	}
	_, left := k.owes(now)
	err := s.Say(ctx, probing.Said{Cluster: s.cluster, At: now, Stands: stands, Outcomes: []probing.Outcome{o}})
	if left > 0 {
		s.rouseCase(k.name) // which writes it by then
	} else if err == nil {
		err = s.writeStatus(ctx, k)
	}
	if err != nil { // the program has said it, and need not say it again
		s.log.Warn("that a case has turned is said within a minute", "case", k.name.Name, "error", err)
	}
	return nil
}

// owes reports whether a resident has turned since its status was written, and how long that waits yet.
func (k *known) owes(now time.Time) (owed bool, left time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.written.After(now) { // by a clock that was ahead
		k.written = time.Time{}
	}
	return k.owed, k.written.Add(statusPause).Sub(now)
}

// count counts a report, and says whether it is the first of its run, and whether it is looked at: in order, and not one of too many.
func (s *site) count(k *known, r *probing.Run, report kuberhealthy.Report, now time.Time) (first, counts bool) {
	k.mu.Lock()
	k.patienceWith(r.Spec.Target).deaths = 0
	room := k.brake.take(now)
	k.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.residents[r.UID]
	if known == nil {
		known = &resident{}
		s.residents[r.UID] = known
	}
	first = known.reports == 0
	known.reports++
	known.last = now
	if report.Seq > 0 && report.Seq <= known.seq || !room || !s.brake.take(now) {
		known.left++
		return first, false
	}
	known.seq = max(known.seq, report.Seq)
	return first, true
}
