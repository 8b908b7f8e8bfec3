package cluster

import (
	"context"
	"errors"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// errCheck ends a driver's call because a check did not pass.
var errCheck = errors.New("a check did not pass")

// watcher is what happens at every look of a long activity.
type watcher struct {
	a        *Activities
	req      step.AdvanceRequest
	h        held
	armed    bool
	beat     *pulse
	end      context.CancelCauseFunc // of what is watched
	seen     api.Facts
	pace     *pace
	sighting sighting
	over     context.CancelFunc // of the vigil
}

// newWatcher heartbeats from now on; what it watches runs in the context that it returns.
func (a *Activities) newWatcher(ctx context.Context, req step.AdvanceRequest, armed bool) (context.Context, *watcher) {
	ctx, beat := a.newPulse(ctx, pulseMoving)
	within, end := context.WithCancelCause(ctx)
	w := &watcher{a: a, req: req, armed: armed, beat: beat, end: end, pace: newPace(ctx, req, a.Clock.Now())}
	vigil, over := context.WithCancel(ctx)
	w.over = over
	go w.keepVigil(vigil)
	return within, w
}

// watch says what is watched, before its first look.
func (w *watcher) watch(h held) {
	w.h = h
	w.pace.waits(minReady(h.load.Spec.Target))
}

func (w *watcher) stop() {
	w.over()
	w.end(nil)
	w.beat.stop()
}

// keepVigil counts the time in which no look comes: a driver may wait for the workload's controller before its first.
func (w *watcher) keepVigil(ctx context.Context) {
	for pause(ctx, vigilEvery) == nil {
		now, stalled := w.pace.wait(w.a.Clock.Now())
		w.beat.say(now)
		if stalled {
			w.end(errStalled)
			return
		}
	}
}

// look keeps what was seen, says it in the heartbeat and the ledger, and judges it.
func (w *watcher) look(ctx context.Context, seen rule.Workload, batch rule.Batch) error {
	w.seen.Facts = complete(w.req, seen, batch)
	stalled := w.note(ctx, w.a.Clock.Now())
	found, err := w.a.judge(ctx, w.req.Checks, w.seen.Facts)
	if err != nil {
		return err
	}
	w.seen.Checks = found
	if now := observation(w.req, w.seen.Facts, w.armed, w.a.Clock.Now()); w.sighting.due(now) {
		w.a.observe(ctx, now)
	}
	if _, bad := api.FirstBad(w.seen.Checks); bad {
		return errCheck
	}
	if stalled {
		return errStalled
	}
	return nil
}

// note says how far the batch is, and what keeps it where it is once it does not get on.
func (w *watcher) note(ctx context.Context, now time.Time) (stalled bool) {
	stands := w.pace.stands(now)
	if w.seen.Stuck = nil; stands {
		// It is told to people. That it cannot be found out keeps nothing from moving.
		w.seen.Stuck, _ = w.h.driver.StuckPods(ctx, w.h.cluster, w.h.load.Spec, w.seen.Facts.Workload)
	}
	said, stalled := w.pace.look(now, w.seen)
	w.beat.say(said)
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
