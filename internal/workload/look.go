package workload

import (
	"context"
	"reflect"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines/rule"
)

// looker calls a Look where facts have changed, and every lookEvery where they have not.
type looker struct {
	look  Look
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

// ours checks that the workload has the template that the run left: facts about somebody else's are no verdict on ours.
func (s *session) ours(ctx context.Context, state State) error {
	live, err := s.present(ctx)
	if err == nil && state.Template != "" && templateDigest(templateOf(live)) != state.Template {
		err = fault.New(fault.Conflict, "cannot judge %s in cluster %s: somebody else changed its pod template", nameOf(live), s.c.Context())
	}
	return err
}

// watch looks on until look or ctx ends it.
func (s *session) watch(ctx context.Context, state State, look Look, read func(context.Context) (Seen, error)) error {
	l := looker{look: look, clock: s.clock}
	for {
		t := s.turn()
		seen, err := read(ctx)
		if err != nil {
			return err
		}
		if err := s.ours(ctx, state); err != nil {
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

// count tells about a workload what its pods tell. Live are the pods that are not on their way out.
func (s *session) count(live *unstructured.Unstructured, hash string, desired int, pods []pod, least time.Duration, now time.Time) rule.Workload {
	w := rule.Workload{
		Kind: s.family.Kind.Kind, Namespace: s.spec.Target.GetNamespace(), Name: s.spec.Target.GetName(),
		Revision: hash, Desired: int64(desired), Waiting: []string{},
	}
	if live != nil {
		w.Generation, w.Observed = live.GetGeneration(), observedGeneration(live)
	}
	about := map[types.UID]bool{}
	for _, p := range pods {
		in, ready := p.availableIn(least, now)
		available := ready && in == 0
		w.Ready += one(ready)
		w.Available += one(available)
		if hash == "" || p.hash != hash {
			w.OldRestarts += p.restarts
			continue
		}
		w.Updated++
		w.UpdatedReady += one(ready)
		w.UpdatedAvailable += one(available)
		w.Restarts += p.restarts
		w.Waiting = append(w.Waiting, p.waiting...)
		about[p.uid] = true
	}
	slices.Sort(w.Waiting)
	w.Waiting = slices.Compact(w.Waiting)
	w.Unavailable = max(0, w.Desired-w.Available)
	w.Events = s.eventsAbout(about)
	return w
}

// soonest returns when the first pod that is ready becomes available, at most lookEvery from now.
func soonest(pods []pod, least time.Duration, now time.Time) time.Duration {
	next := lookEvery
	for _, p := range pods {
		if in, ready := p.availableIn(least, now); ready && in > 0 {
			next = min(next, in+time.Millisecond)
		}
	}
	return next
}

func one(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}
