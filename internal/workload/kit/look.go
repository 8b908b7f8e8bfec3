package kit

import (
	"context"
	"reflect"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/field"
	"sluice.dev/sluice/internal/workload/podtemplate"
	"sluice.dev/sluice/pipelines/rule"
)

// looker calls a Look where facts have changed, and every lookEvery where they have not.
type looker struct {
	look  workload.Look
	clock clock.Clock
	last  rule.Facts
	at    time.Time
}

func (l *looker) see(ctx context.Context, facts rule.Facts) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.look == nil || !l.at.IsZero() && l.clock.Since(l.at) < lookEvery && reflect.DeepEqual(facts, l.last) {
		return nil
	}
	l.last, l.at = facts, l.clock.Now()
	return l.look(ctx, facts.Workload, facts.Batch)
}

// unchanged checks that the workload has the template that the run left: facts about somebody else's are no verdict on ours.
// Live is what the facts are about: to read it anew could find another one.
func (s *Session) unchanged(live *unstructured.Unstructured, state workload.State) error {
	switch {
	case live == nil:
		return s.missing()
	case state.Template != "" && podtemplate.Digest(podtemplate.Of(live)) != state.Template:
		return s.Cannot("judge", fault.Conflict, "somebody else changed its pod template")
	}
	return nil
}

// watch looks on until look or ctx ends it.
func (s *Session) watch(ctx context.Context, state workload.State, look workload.Look, read func(context.Context) (Seen, error)) error {
	l := looker{look: look, clock: s.Clock}
	for {
		t := s.turn()
		seen, err := read(ctx)
		if err != nil {
			return err
		}
		if err := s.unchanged(seen.Live, state); err != nil {
			return err
		}
		if err := l.see(ctx, seen.Facts); err != nil {
			return err
		}
		if err := t.sleep(ctx, seen.Next); err != nil {
			return err
		}
	}
}

// Count tells about a workload what its pods tell. Live are the pods that are not on their way out.
func (s *Session) Count(
	live *unstructured.Unstructured, hash string, desired int, pods []Pod, least time.Duration, now time.Time,
) rule.Workload {
	w := rule.Workload{
		Kind: s.Family.Kind.Kind, Namespace: s.Spec.Target.GetNamespace(), Name: s.Spec.Target.GetName(),
		Revision: hash, Desired: int64(desired), Waiting: []string{},
	}
	if live != nil {
		w.Generation, w.Observed = live.GetGeneration(), field.Observed(live)
	}
	about := map[types.UID]bool{}
	for _, p := range pods {
		in, ready := p.AvailableIn(least, now)
		available := ready && in == 0
		w.Ready += One(ready)
		w.Available += One(available)
		if hash == "" || p.Hash != hash {
			w.OldRestarts += p.restarts
			continue
		}
		w.Updated++
		w.UpdatedReady += One(ready)
		w.UpdatedAvailable += One(available)
		w.Restarts += p.restarts
		w.Waiting = append(w.Waiting, p.waiting...)
		about[p.UID] = true
	}
	slices.Sort(w.Waiting)
	w.Waiting = slices.Compact(w.Waiting)
	w.Unavailable = max(0, w.Desired-w.Available)
	w.Events = s.eventsAbout(about)
	return w
}

// Soonest returns when the first pod that is ready becomes available, at most lookEvery from now.
func Soonest(pods []Pod, least time.Duration, now time.Time) time.Duration {
	next := lookEvery
	for _, p := range pods {
		if in, ready := p.AvailableIn(least, now); ready && in > 0 {
			next = min(next, in+time.Millisecond)
		}
	}
	return next
}

// One counts: 1 for what is so, 0 for what is not.
func One(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}
