package cluster

import (
	"context"
	"errors"
	"fmt"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/drivers"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines/rule"
)

// held is a workload with its driver and what is known of it.
type held struct {
	driver  workload.Driver
	cluster workload.Cluster
	spec    workload.Spec
	change  change
	era     era // where no deployment says what it goes back to
}

func (a *Activities) held(ctx context.Context, req step.WorkloadRequest) (held, error) {
	var h held
	var err error
	if h.change, err = a.change(ctx, req.Changes, req.Object); err != nil {
		return h, err
	}
	if h.cluster, err = a.Clusters.Cluster(ctx, req.Context); err != nil {
		return h, err
	}
	h.spec = h.change.spec(req.Ref)
	if h.spec.WayBack == nil && !req.Back {
		if h.era, err = a.eraOf(ctx, req.Ref, req.Run); err != nil {
			return h, err
		}
		if err := a.earlier(ctx, h.era, h.change, &h.spec); err != nil {
			return h, err
		}
	}
	h.driver, err = drivers.For(h.change.target().GroupVersionKind().GroupKind())
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
	e, err := a.eraOf(ctx, req.Ref, req.Run)
	if err != nil {
		return state, err
	}
	live := h.change.live() // the driver takes no hold of one whose spec has changed since
	if live == nil {
		if live, err = get(ctx, h.cluster, h.change.target()); err != nil {
			return state, err
		}
	}
	made, err := a.before(ctx, e, req.Ref, h.change.target(), live)
	if err != nil {
		return state, err
	}
	w, err := a.intend(ctx, req.Ref, stepPrepare, h.change.target(), made)
	if err != nil {
		return state, err
	}
	state, err = h.driver.Prepare(ctx, h.cluster, h.spec)
	if err != nil {
		return state, err
	}
	w.UID, w.ResourceVersion, w.Created = state.UID, state.ResourceVersion, w.Created || state.Created
	return state, a.Ledger.SaveWrite(ctx, w)
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
	return a.turn(ctx, req, func(d workload.Driver, ctx context.Context, c workload.Cluster, s workload.Spec, st goal.State) (goal.State, error) {
		return d.Finish(ctx, c, s, st, req.Revert)
	})
}

// turned is one of a driver's short calls.
type turned func(workload.Driver, context.Context, workload.Cluster, workload.Spec, goal.State) (goal.State, error)

func (a *Activities) turn(ctx context.Context, req step.WorkloadRequest, f turned) (state goal.State, err error) {
	ctx, h, done, err := a.fenced(ctx, req)
	if err != nil {
		return req.State, err
	}
	defer done(&err)
	state, err = f(h.driver, ctx, h.cluster, h.spec, req.State)
	if err != nil {
		return state, err
	}
	return state, a.observeArmed(ctx, req.Ref, state.Armed)
}

// Advance moves one batch, and ends when it is there, when a check that runs meanwhile does not pass, or as stalled when it did
// not get on for as long as the request says.
func (a *Activities) Advance(ctx context.Context, req step.AdvanceRequest) (api.Facts, error) {
	return a.watched(ctx, req, true, func(ctx context.Context, h held, look workload.Look) (rule.Facts, error) {
		return h.driver.Advance(ctx, h.cluster, h.spec, req.State, req.Goal, look)
	})
}

// Revert moves a workload back. No check stops it; it ends as stalled as Advance does.
func (a *Activities) Revert(ctx context.Context, req step.AdvanceRequest) (api.Facts, error) {
	req.Checks = nil
	h, err := a.held(ctx, req.WorkloadRequest)
	if err != nil {
		return api.Facts{}, err
	}
	left, how := h.spec.WayBack, stepRevert
	if left == nil {
		left, how = h.change.target(), stepDelete // the run made it
	}
	if _, err := a.intend(ctx, req.Ref, how, left, making{}); err != nil {
		return api.Facts{}, err
	}
	stays := ""
	seen, err := a.watched(ctx, req, false, func(ctx context.Context, h held, look workload.Look) (facts rule.Facts, err error) {
		if stays, err = standsThere(ctx, h.cluster, h.era, h.change); err != nil || stays != "" {
			return rule.Facts{}, err
		}
		facts, err = h.driver.Revert(ctx, h.cluster, h.spec, req.State, req.Goal.MaxUnavailable, look)
		if err == nil && h.spec.WayBack == nil {
			stays, err = stayed(ctx, h, facts)
		}
		return facts, err
	})
	seen.Stays = stays
	return seen, err
}

// stayed says why a workload is not back of which nobody knows what it was, and what it is now; "" where it is back.
func stayed(ctx context.Context, h held, seen rule.Facts) (string, error) {
	live, err := get(ctx, h.cluster, h.change.target())
	if err != nil || live == nil {
		return "", err
	}
	hold, err := workload.HoldOf(live)
	if err != nil || hold != nil && hold.Back || !workload.Carries(live, h.change.target()) {
		return "", err
	}
	return stays(h.change.Object, fmt.Sprintf("its controller does not keep what it was before; %d of %d pods are at what this run wrote",
		seen.Workload.Updated, seen.Workload.Desired)), nil
}

// Look looks once.
func (a *Activities) Look(ctx context.Context, req step.AdvanceRequest) (api.Facts, error) {
	h, err := a.held(ctx, req.WorkloadRequest)
	if err != nil {
		return api.Facts{}, err
	}
	seen, err := h.driver.Facts(ctx, h.cluster, h.spec, req.State, req.Goal)
	if err != nil {
		return api.Facts{}, err
	}
	facts := complete(req, seen.Workload, seen.Batch)
	stuck, err := h.driver.StuckPods(ctx, h.cluster, h.spec, facts.Workload)
	return api.Facts{Facts: facts, Stuck: stuck}, err
}

// watched runs a driver's long call with a look that heartbeats, observes and judges.
func (a *Activities) watched(ctx context.Context, req step.AdvanceRequest, armed bool, run func(context.Context, held, workload.Look) (rule.Facts, error)) (seen api.Facts, err error) {
	ctx, w := a.newWatcher(ctx, req, armed)
	defer w.stop()
	ctx, h, done, err := a.fenced(ctx, req.WorkloadRequest)
	if err != nil {
		return seen, err
	}
	defer done(&err)
	w.watch(h)
	end, err := run(ctx, h, w.look)
	switch {
	case errors.Is(err, errCheck):
		if w.seen.Stuck == nil {
			w.seen.Stuck, _ = h.driver.StuckPods(ctx, h.cluster, h.spec, w.seen.Facts.Workload)
		}
	case errors.Is(err, errStalled), err != nil && errors.Is(context.Cause(ctx), errStalled):
		w.seen.Stalled = true
		w.seen.Checks = append(w.seen.Checks, stalledCheck(w.pace.said(), req.Deadline))
		w.seen.Behind = h.leftLate(ctx, req)
	case err != nil:
		return w.seen, unreachableAs(err)
	default:
		w.seen.Facts = complete(req, end.Workload, end.Batch)
		if len(h.spec.Behind) > 0 || end.Batch.Lost > 0 || req.Back || !armed {
			if w.seen.Behind, err = h.left(ctx, req); err != nil {
				return w.seen, unreachableAs(err)
			}
		}
	}
	if w.seen.Facts.Workload.Name == "" {
		return w.seen, nil // it is gone, or was never seen
	}
	a.observe(context.WithoutCancel(ctx), observation(req, w.seen.Facts, armed))
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
