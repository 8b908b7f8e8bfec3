package cluster

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/activities/cluster/pulse"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// watcher is what happens at every look of a long activity.
type watcher struct {
	a        *Activities
	req      step.AdvanceRequest
	h        held
	armed    bool
	beat     *pulse.Pulse
	end      context.CancelCauseFunc // of what is watched
	seen     api.Facts
	pace     *pulse.Pace
	jury     *jury
	sighting sighting
	over     context.CancelFunc // of the vigil
}

// newWatcher heartbeats from now on; what it watches runs in the context that it returns.
func (a *Activities) newWatcher(ctx context.Context, req step.AdvanceRequest, armed bool) (context.Context, *watcher) {
	ctx, beat := a.beats(ctx, pulse.Moving)
	within, end := context.WithCancelCause(ctx)
	w := &watcher{a: a, req: req, armed: armed, beat: beat, end: end, pace: pulse.NewPace(req, pulse.Before(ctx), a.Clock.Now())}
	w.jury = w.newJury(ctx)
	vigil, over := context.WithCancel(ctx)
	w.over = over
	go w.keepVigil(vigil)
	return within, w
}

func minReady(o *unstructured.Unstructured) time.Duration {
	if o == nil {
		return 0
	}
	seconds, _, _ := unstructured.NestedInt64(o.Object, "spec", "minReadySeconds")
	return time.Duration(seconds) * time.Second
}

// watch says what is watched, before its first look, and within which context.
func (w *watcher) watch(ctx context.Context, h held) {
	w.h = h
	w.jury.follow(ctx)
	w.pace.Waits(minReady(h.load.Spec.Target))
}

func (w *watcher) stop() {
	w.over()
	w.end(nil)
	w.jury.adjourn()
	w.beat.Stop()
}

// keepVigil counts the time in which no look comes: a driver may wait for the workload's controller before its first.
func (w *watcher) keepVigil(ctx context.Context) {
	for pulse.Pause(ctx, pulse.VigilEvery) == nil {
		now, stalled := w.pace.Wait(w.a.Clock.Now())
		w.beat.Say(now)
		if stalled {
			w.end(pulse.ErrStalled)
			return
		}
	}
}

// look keeps what was seen, says it in the heartbeat and the ledger, and has it judged.
func (w *watcher) look(ctx context.Context, seen rule.Workload, batch rule.Batch) error {
	w.seen.Facts = complete(w.req, seen, batch)
	stalled := w.note(ctx, w.a.Clock.Now())
	err := w.jury.hear(ctx, w.seen.Facts)
	if err != nil && !errors.Is(err, errCheck) {
		return err
	}
	if now := observation(w.req, w.seen.Facts, w.armed, w.a.Clock.Now()); w.sighting.due(now) {
		w.a.observe(ctx, now)
	}
	if err == nil && stalled {
		return pulse.ErrStalled
	}
	return err
}

// last waits for the last verdict, once nothing is looked at any more. One that did not pass is about the facts that it saw,
// which need not be the latest.
func (w *watcher) last() (bad bool) {
	w.over()
	judged, bad := w.jury.rest()
	w.seen.Checks = judged.checks
	if bad {
		w.seen.Facts = judged.facts
	}
	return bad
}

// note says how far the batch is, and what keeps it where it is once it does not get on.
func (w *watcher) note(ctx context.Context, now time.Time) (stalled bool) {
	stands := w.pace.Stands(now)
	if w.seen.Stuck = nil; stands {
		// It is told to people. That it cannot be found out keeps nothing from moving.
		w.seen.Stuck, _ = w.h.driver.StuckPods(ctx, w.h.cluster, w.h.load.Spec, w.seen.Facts.Workload)
	}
	said, stalled := w.pace.Look(now, w.seen)
	w.beat.Say(said)
	return stalled
}

// judge runs checks, each at its own point: those that run during a batch, and those that are to judge its end.
// A context that ends in between is an error: what was cut short is no verdict.
func (a *Activities) judge(ctx context.Context, checks []pipelines.ResolvedCheck, facts rule.Facts) ([]api.Check, error) {
	if len(checks) == 0 {
		return nil, nil
	}
	var during, after []pipelines.ResolvedCheck
	for _, c := range checks {
		if c.RunsAt(pipelines.During) {
			during = append(during, c)
			continue
		}
		after = append(after, c)
	}
	found := a.Checks.Evaluate(ctx, step.EvaluateRequest{Point: pipelines.During, Checks: during, Facts: facts})
	found = append(found, a.Checks.Evaluate(ctx, step.EvaluateRequest{Point: pipelines.AfterBatch, Checks: after, Facts: facts})...)
	return found, ctx.Err()
}
