package cluster

import (
	"context"
	"errors"

	"sluice.dev/sluice/activities/cluster/pulse"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/change"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/drivers"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines/rule"
)

// held is a workload with its driver, in its cluster.
type held struct {
	driver  workload.Driver
	cluster workload.Cluster
	load    change.Workload
}

func (a *Activities) held(ctx context.Context, req step.WorkloadRequest) (held, error) {
	var h held
	load, err := change.LoadWorkload(ctx, a.Ledger, partOf(req.Ref), req.Changes, req.Object)
	if err != nil {
		return h, err
	}
	h.load = load
	if h.cluster, err = a.Clusters.Cluster(ctx, req.Context); err != nil {
		return h, err
	}
	h.driver, err = drivers.For(load.Target().GroupVersionKind().GroupKind())
	return h, err
}

// fenced is held, for one who writes.
func (a *Activities) fenced(ctx context.Context, req step.WorkloadRequest) (context.Context, held, func(*error), error) {
	h, err := a.held(ctx, req)
	if err != nil {
		return ctx, h, nil, err
	}
	ctx, c, done, err := a.fence(ctx, req.Ref)
	h.cluster = c
	return ctx, h, done, err
}

// Prepare takes hold of a workload and arms it; no pod moves.
func (a *Activities) Prepare(ctx context.Context, req step.WorkloadRequest) (state goal.State, err error) {
	ctx, h, done, err := a.fenced(ctx, req)
	if err != nil {
		return state, err
	}
	defer done(&err)
	return a.writer(req.Ref, h.cluster).Hold(ctx, h.load.Object, func(ctx context.Context) (goal.State, error) {
		return h.driver.Prepare(ctx, h.cluster, h.load.Spec)
	})
}

// Arm gives a workload the new template back after a Disarm.
func (a *Activities) Arm(ctx context.Context, req step.WorkloadRequest) (goal.State, error) {
	return a.turn(ctx, req, workload.Driver.Arm)
}

// Disarm keeps recreated pods from getting the new template.
func (a *Activities) Disarm(ctx context.Context, req step.WorkloadRequest) (goal.State, error) {
	return a.turn(ctx, req, workload.Driver.Disarm)
}

// Finish gives the owner's strategy back.
func (a *Activities) Finish(ctx context.Context, req step.WorkloadRequest) (goal.State, error) {
	finish := func(d workload.Driver, ctx context.Context, c workload.Cluster, s workload.Spec, st goal.State) (goal.State, error) {
		return d.Finish(ctx, c, s, st, req.Revert)
	}
	return a.turn(ctx, req, finish)
}

// turned is one of a driver's short calls.
type turned func(workload.Driver, context.Context, workload.Cluster, workload.Spec, goal.State) (goal.State, error)

func (a *Activities) turn(ctx context.Context, req step.WorkloadRequest, f turned) (state goal.State, err error) {
	ctx, h, done, err := a.fenced(ctx, req)
	if err != nil {
		return req.State, err
	}
	defer done(&err)
	state, err = f(h.driver, ctx, h.cluster, h.load.Spec, req.State)
	if err != nil {
		return state, err
	}
	return state, a.observeArmed(ctx, req.Ref, state.Armed)
}

// Advance moves one batch, and ends when it is there, when a check that runs meanwhile does not pass, or as stalled when it did
// not get on for as long as the request says.
func (a *Activities) Advance(ctx context.Context, req step.AdvanceRequest) (api.Facts, error) {
	return a.watched(ctx, req, true, func(ctx context.Context, h held, look workload.Look) (rule.Facts, error) {
		return h.driver.Advance(ctx, h.cluster, h.load.Spec, req.State, req.Goal, look)
	})
}

// Revert moves a workload back. No check stops it; it ends as stalled as Advance does.
func (a *Activities) Revert(ctx context.Context, req step.AdvanceRequest) (api.Facts, error) {
	req.Checks = nil
	h, err := a.held(ctx, req.WorkloadRequest)
	if err != nil {
		return api.Facts{}, err
	}
	if err := a.writer(req.Ref, h.cluster).MeanBack(ctx, h.load); err != nil {
		return api.Facts{}, err
	}
	stays := ""
	seen, err := a.watched(ctx, req, false, func(ctx context.Context, h held, look workload.Look) (facts rule.Facts, err error) {
		if stays, err = h.load.Replaced(ctx, h.cluster); err != nil || stays != "" {
			return rule.Facts{}, err
		}
		facts, err = h.driver.Revert(ctx, h.cluster, h.load.Spec, req.State, req.Goal.MaxUnavailable, look)
		if err == nil {
			stays, err = h.load.Stays(ctx, h.cluster, facts)
		}
		return facts, err
	})
	seen.Stays = stays
	return seen, err
}

// Retreat takes a batch back and leaves the workload disarmed. No check stops it; it ends as stalled as Advance does.
func (a *Activities) Retreat(ctx context.Context, req step.AdvanceRequest) (api.Facts, error) {
	req.Checks = nil
	return a.watched(ctx, req, false, func(ctx context.Context, h held, look workload.Look) (rule.Facts, error) {
		return h.driver.Retreat(ctx, h.cluster, h.load.Spec, req.State, req.Goal, look)
	})
}

// Look looks once.
func (a *Activities) Look(ctx context.Context, req step.AdvanceRequest) (api.Facts, error) {
	h, err := a.held(ctx, req.WorkloadRequest)
	if err != nil {
		return api.Facts{}, err
	}
	seen, err := h.driver.Facts(ctx, h.cluster, h.load.Spec, req.State, req.Goal)
	if err != nil {
		return api.Facts{}, err
	}
	facts := complete(req, seen.Workload, seen.Batch)
	stuck, err := h.driver.StuckPods(ctx, h.cluster, h.load.Spec, facts.Workload)
	return api.Facts{Facts: facts, Stuck: stuck}, err
}

// watched runs a driver's long call with a look that heartbeats, observes and judges.
func (a *Activities) watched(
	ctx context.Context, req step.AdvanceRequest, armed bool, run func(context.Context, held, workload.Look) (rule.Facts, error),
) (seen api.Facts, err error) {
	ctx, w := a.newWatcher(ctx, req, armed)
	defer w.stop()
	ctx, h, done, err := a.fenced(ctx, req.WorkloadRequest)
	if err != nil {
		return seen, err
	}
	defer done(&err)
	w.watch(ctx, h)
	end, err := run(ctx, h, w.look)
	now := w.seen.Facts
	switch bad := w.last(); {
	case bad:
		if w.seen.Stuck == nil {
			w.seen.Stuck = h.stuckLate(ctx, w.seen.Facts.Workload)
		}
	case errors.Is(err, pulse.ErrStalled), err != nil && errors.Is(context.Cause(ctx), pulse.ErrStalled):
		w.seen.Stalled = true
		w.seen.Checks = append(w.seen.Checks, pulse.Stalled(w.pace.Said(), req.Deadline))
		w.seen.Behind = h.leftLate(ctx, req)
	case err != nil:
		return w.seen, unreachableAs(err)
	default:
		now = complete(req, end.Workload, end.Batch)
		w.seen.Facts = now
		if len(h.load.Spec.Behind) > 0 || end.Batch.Lost > 0 || req.Back || !armed {
			if w.seen.Behind, err = h.left(ctx, req); err != nil {
				return w.seen, unreachableAs(err)
			}
		}
	}
	if w.seen.Facts.Workload.Name == "" {
		return w.seen, nil // it is gone, or was never seen
	}
	a.observe(context.WithoutCancel(ctx), observation(req, now, armed, a.Clock.Now()))
	return w.seen, nil
}

// unreachableAs keeps a driver's error as it is, but for what a lost connection in the middle of a wait looks like.
func unreachableAs(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fault.Wrap(fault.Unreachable, err, "cannot go on")
	}
	return err
}

// complete adds to what a driver saw what only the plan knows.
func complete(req step.AdvanceRequest, w rule.Workload, b rule.Batch) rule.Facts {
	b.Size = int64(req.Size)
	if b.Number == 0 {
		b.Number = int64(req.Goal.Number)
	}
	return rule.Facts{Workload: w, Batch: b, Unit: req.Unit, Change: req.Change}
}
