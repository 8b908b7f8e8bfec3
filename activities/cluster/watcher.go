package cluster

import (
	"context"
	"errors"
	"time"

	"sluice.dev/sluice/internal/status"
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
	armed    bool
	beat     *pulse
	seen     status.Facts
	progress step.Progress
	sighting sighting
}

// newWatcher heartbeats from now on; what it watches runs in the context that it returns.
func (a *Activities) newWatcher(ctx context.Context, req step.AdvanceRequest, armed bool) (context.Context, *watcher) {
	ctx, beat := newPulse(ctx, pulseMoving)
	return ctx, &watcher{a: a, req: req, armed: armed, beat: beat, progress: step.Progress{Since: time.Now().UTC(), Target: req.Target, Total: req.Total}}
}

// look keeps what was seen, says it in the heartbeat and the ledger, and judges it.
func (w *watcher) look(ctx context.Context, seen rule.Workload, batch rule.Batch) error {
	w.seen.Facts = complete(w.req, seen, batch)
	w.note(time.Now().UTC())
	found, err := w.a.judge(ctx, w.req.Checks, w.seen.Facts)
	if err != nil {
		return err
	}
	w.seen.Checks = found
	if now := observation(w.req, w.seen.Facts, w.armed); w.sighting.due(now) {
		w.a.observe(ctx, now)
	}
	if _, bad := status.FirstBad(w.seen.Checks); bad {
		return errCheck
	}
	return nil
}

// note says how far the batch is. Without progress for longer than the deadline it is stalled: an alarm, not an end.
func (w *watcher) note(now time.Time) {
	p := &w.progress
	b := w.seen.Facts.Batch
	if int(b.Updated) != p.Updated || int(b.UpdatedReady) != p.Ready {
		p.Since = now
	}
	p.Updated, p.Ready = int(b.Updated), int(b.UpdatedReady)
	p.Stalled = w.req.Deadline > 0 && p.Ready < p.Target && now.Sub(p.Since) > w.req.Deadline
	p.Note = ""
	if p.Stalled {
		p.Note = "no progress since " + p.Since.Format(time.RFC3339)
	}
	w.beat.say(*p)
}

// judge runs checks, each at its own point: those that run during a batch, and those that are to judge its end.
// A context that ends in between is an error: what was cut short is no verdict.
func (a *Activities) judge(ctx context.Context, checks []pipelines.ResolvedCheck, facts rule.Facts) ([]status.Check, error) {
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
	found := a.Gates.Evaluate(ctx, step.EvaluateRequest{Point: pipelines.During, Checks: during, Facts: facts})
	found = append(found, a.Gates.Evaluate(ctx, step.EvaluateRequest{Point: pipelines.AfterBatch, Checks: after, Facts: facts})...)
	return found, ctx.Err()
}
