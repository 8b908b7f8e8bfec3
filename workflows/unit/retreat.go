package unit

import (
	"errors"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/workflows/ask"
	"sluice.dev/sluice/workflows/shape"
	"sluice.dev/sluice/workflows/show"
	"sluice.dev/sluice/workflows/tell"
)

// errAnew has a batch move anew that was taken back alone.
var errAnew = errors.New("the batch that was taken back moves anew")

// retreat is the batch that began to move last of a workload that the run holds, and how it is taken back alone.
type retreat struct {
	index int // in the unit's batches
	req   step.AdvanceRequest
	begun bool // pods of it may be back
}

// takeable notes that the batch which begins to move now can be taken back alone: not where there was no version before.
func (r *machine) takeable(held *heldWorkload, at *api.BatchStatus, req step.AdvanceRequest, earlier []plan.Batch) {
	r.noRetreat()
	if held.state.Created || r.in.Back || r.shape < shape.TakesBatchesBack {
		return
	}
	var stays plan.Batch
	for _, b := range earlier {
		if b.Number < at.Number {
			stays = b
		}
	}
	req.Goal.Amount, req.Target, req.Version = stays.Amount, at.Total-stays.Target, r.plan.WayBack.Version
	req.Deadline = time.Duration(r.plan.Rules.ProgressDeadline)
	r.retreat = &retreat{index: len(r.unit.Batches) - 1, req: req}
	r.unit.Last = &api.LastBatch{Path: at.Path}
}

// noRetreat notes that there is no batch which could be taken back alone.
func (r *machine) noRetreat() { r.retreat, r.unit.Last = nil, nil }

// standStill waits as s says, and takes a batch back meanwhile where it is told to.
func (r *machine) standStill(ctx workflow.Context, s show.Stand) error {
	r.still = true
	defer func() { r.still = false }()
	waiting := s.Waiting
	for {
		s.Waiting = r.withRetreat(waiting)
		s.Stop(ctx)
		err := workflow.Await(ctx, func() bool { return r.orders.retreat != nil || s.Until() || r.ended() != nil })
		if err != nil {
			return err
		}
		if r.orders.retreat == nil || r.ended() != nil {
			return s.Stay(ctx)
		}
		r.fallBack(ctx, s.Phase)
	}
}

// withRetreat adds to what a unit waits for which batch of it is back.
func (r *machine) withRetreat(w *api.Waiting) *api.Waiting {
	if r.unit.Last == nil || r.unit.Last.Back == nil {
		return w
	}
	now := *w
	now.Unmet = append(slices.Clone(w.Unmet), r.unit.Last.Said()+"; it moves anew once it is resumed")
	return &now
}

// fallBack takes the last batch back, and says what came of it. The unit stays where it stands.
func (r *machine) fallBack(ctx workflow.Context, phase api.Phase) {
	by := *r.orders.retreat
	r.orders.retreat = nil
	last := r.retreat
	if last == nil {
		r.note(nil, unretreated("no batch of it can go back alone"))
		return
	}
	at := &r.unit.Batches[last.index]
	if at.Phase == api.PhaseRolledBack {
		return
	}
	was := at.Phase
	last.begun, at.Phase, at.Back = true, api.PhaseRollingBack, &by
	err := r.movesBack(ctx, phase, at, last.req)
	if r.ended() != nil {
		return
	}
	if err != nil {
		at.Phase, at.Back = was, nil
		r.note(at, unretreated(ask.MessageOf(err)))
		r.disarm(ctx) // it may be in the middle of a step
		return
	}
	r.unit.Last.Back = &by
	at.Phase, at.Ended, at.Stuck = api.PhaseRolledBack, workflow.Now(ctx).UTC(), nil
	at.Updated, at.Ready, at.Lost, at.Nodes = at.Total-last.req.Target, at.Total-last.req.Target, 0, nil
	at.Checks = slices.DeleteFunc(at.Checks, func(c api.Check) bool { return c.Name == retreatCheck })
	r.report(ctx)
}

// movesBack moves the pods of a batch back. A cluster out of reach is waited for; what ends the unit gives it up.
func (r *machine) movesBack(ctx workflow.Context, phase api.Phase, at *api.BatchStatus, req step.AdvanceRequest) error {
	for {
		req.State = r.stateOf(req.Object)
		r.set(ctx, phase, &api.Waiting{Kind: api.WaitPods, Name: at.Path, Unmet: []string{"goes back, " + at.Back.Said()}})
		r.cut = false
		seen, err := interruptible(ctx, r, near(r, step.Retreat, "take batch "+at.Path+" back", req))
		err = r.unlessCut(err)
		switch {
		case r.ended() != nil:
			return r.ended()
		case err == nil:
			r.here(ctx)
			r.leftBehind(req.Object, seen.Behind)
			return standstill(seen)
		case temporal.IsCanceledError(err):
			if ctx.Err() != nil {
				return err
			}
		case ask.CodeOf(err) == fault.Unreachable:
			if err := r.awaitCluster(ctx, err); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

const retreatCheck = "rollback of the batch"

// unretreated says why a batch was not taken back. It judges nothing.
func unretreated(why string) []api.Check {
	return []api.Check{{Name: retreatCheck, At: api.AtRollback, Verdict: api.Error, Advisory: true, Message: why}}
}

// rewind forgets what came of the batch that was taken back, and of what had begun behind it, and returns where it is among those of
// its workload, the first of which is so manyth of the unit's.
func (r *machine) rewind(first int) int {
	at := r.unit.Batches[r.retreat.index]
	if borne(&at) {
		r.unit.FailedBatches--
	}
	r.unit.Batches = r.unit.Batches[:r.retreat.index]
	r.tookBack = at.Back
	from := r.retreat.index - first
	r.noRetreat()
	return from
}

// listed is a workload's batches in order, each with its node set.
func listed(w plan.Division) []setBatch {
	var all []setBatch
	for i, set := range w.NodeSets {
		for _, b := range set.Batches {
			all = append(all, setBatch{i, b})
		}
	}
	return all
}

type setBatch struct {
	set int
	plan.Batch
}

// takeRetreat notes that the last batch is to go back: at once where the unit stands, else as soon as it does. A freeze that ends does
// not have it move anew.
func (r *machine) takeRetreat(o tell.Order) {
	if !r.still && !r.orders.stands() {
		r.note(nil, unretreated("it was asked for by "+o.Who+" when the unit had gone on already"))
		return
	}
	r.orders.retreat = &api.Ending{By: o.Who, Reason: o.Reason}
	if r.orders.frozen != nil && !r.orders.paused {
		r.orders.paused, r.orders.who, r.orders.why = true, o.Who, o.Reason
	}
}
