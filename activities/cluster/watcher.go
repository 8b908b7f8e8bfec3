package cluster

import (
	"context"
	"errors"
	"time"

	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/status"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// errCheck ends a driver's call because a check did not pass.
var errCheck = errors.New("a check did not pass")

// observeEvery bounds how often the ledger hears of progress.
const observeEvery = 2 * time.Second

// watcher is what happens at every look of a long activity.
type watcher struct {
	a        *Activities
	req      step.AdvanceRequest
	armed    bool
	beat     *pulse
	seen     status.Facts
	progress step.Progress
	observed time.Time
}

func (a *Activities) newWatcher(ctx context.Context, req step.AdvanceRequest, armed bool) *watcher {
	return &watcher{a: a, req: req, armed: armed, beat: newPulse(ctx), progress: step.Progress{Since: time.Now().UTC(), Target: req.Target, Total: req.Total}}
}

// look keeps what was seen, says it in the heartbeat and the ledger, and judges it.
func (w *watcher) look(ctx context.Context, seen rule.Workload, batch rule.Batch) error {
	w.seen.Facts = complete(w.req, seen, batch)
	w.note(time.Now().UTC())
	if now := time.Now(); now.Sub(w.observed) >= observeEvery {
		w.observed = now
		if err := w.a.observe(ctx, w.req, w.seen.Facts, w.armed); err != nil {
			return err
		}
	}
	if len(w.req.Checks) == 0 {
		return nil
	}
	w.seen.Checks = w.judge(ctx)
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

// judge runs the checks, each at its own point: those that run during a batch, and those that are to judge its end.
func (w *watcher) judge(ctx context.Context) []status.Check {
	var during, after []pipelines.ResolvedCheck
	for _, c := range w.req.Checks {
		if c.RunsAt(pipelines.During) {
			during = append(during, c)
			continue
		}
		after = append(after, c)
	}
	found := w.a.Gates.Evaluate(ctx, step.EvaluateRequest{Point: pipelines.During, Checks: during, Facts: w.seen.Facts})
	return append(found, w.a.Gates.Evaluate(ctx, step.EvaluateRequest{Point: pipelines.AfterBatch, Checks: after, Facts: w.seen.Facts})...)
}

// observeArmed keeps in the ledger that a workload was armed or disarmed; what else was last seen stays.
func (a *Activities) observeArmed(ctx context.Context, ref step.Ref, armed bool) error {
	seen, err := a.Ledger.ListObservations(ctx, ref.Component)
	if err != nil {
		return err
	}
	for _, o := range seen {
		if o.Cluster == ref.Cluster && o.Armed != armed {
			o.Armed, o.Seen, o.Unreachable = armed, time.Now().UTC(), false
			return a.Ledger.SaveObservation(ctx, o)
		}
	}
	return nil
}

// observe keeps in the ledger what was last seen of the component in the cluster.
func (a *Activities) observe(ctx context.Context, req step.AdvanceRequest, f rule.Facts, armed bool) error {
	if f.Workload.Name == "" {
		return nil
	}
	return a.Ledger.SaveObservation(ctx, ledger.Observation{
		Cluster: req.Cluster, Component: req.Component, Run: req.Run, Version: req.Version,
		NodeSet: f.Batch.NodeSet, Batch: int(f.Batch.Number), Updated: int(f.Workload.Updated), Desired: int(f.Workload.Desired),
		Armed: armed, Seen: time.Now().UTC(),
	})
}
