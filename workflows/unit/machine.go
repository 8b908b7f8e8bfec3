// Package unit is what goes on in one cluster: one machine that obeys its run, asks, waits for a cluster out of reach and tells
// where it is, and three runbooks over it: the way forward, the way back, and the look at a unit that has arrived.
package unit

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/workflows/ask"
	"sluice.dev/sluice/workflows/shape"
	"sluice.dev/sluice/workflows/show"
	"sluice.dev/sluice/workflows/tell"
)

// ClusterRollout moves one component in one cluster: check, hold, apply, batch by batch, check again, record. It ends
// with the unit's status, which is never changed afterwards. Its workflow ID is made of cluster and component, so that
// Temporal keeps two runs off the same unit.
func ClusterRollout(ctx workflow.Context, in tell.ClusterInput) (api.UnitStatus, error) {
	return newMachine(ctx, in).run(ctx)
}

// What ends the way forward before its end.
var (
	errRollback = errors.New("rollback")
	errAbort    = errors.New("abort")
	errStop     = errors.New("stop")
	errSkip     = errors.New("skip")
)

type machine struct {
	in       tell.ClusterInput
	shape    shape.Shape
	plan     step.UnitPlan
	diff     step.DiffResult
	unit     api.UnitStatus
	orders   orders
	held     []*heldWorkload // workloads that this run holds, in the order in which it took them
	locked   bool
	applied  bool // something that is not a workload may have been written
	cancel   workflow.CancelFunc
	begun    int         // how many batches there were when the last one began to move
	retreat  *retreat    // how the last one is taken back alone; nil where it cannot be
	still    bool        // it stands still
	tookBack *api.Ending // who had the batch taken back that is to move anew
	cut      bool        // what was under way last was interrupted
	last     *moved      // the batch that was moved last of the workload that is held
	misses   int         // tries in a row that did not work
	soaks    bool        // nothing else is under way
	looks    bool        // it has arrived, and is looked at: nothing is moved
	away     bool        // the run believes the cluster to be out of reach
	before   api.Phase   // of the unit, before that
	firm     bool        // only an order to end interrupts what is under way
	told     shown       // what the run was told last, and when
	toldAt   time.Time
	reports  int                  // how many there were
	trouble  *step.TroubleRequest // being said to the ledger, or to be said next; nil where that knows
	watcher  watcher
	sampler  sampler
}

// moved is a batch that has been moved.
type moved struct {
	index int // in the unit's batches
	req   step.AdvanceRequest
}

// heldWorkload is a workload between Prepare and Finish.
type heldWorkload struct {
	object string
	state  goal.State
	goal   goal.Goal
	done   bool   // the owner's strategy is back
	stays  string // why it is not back after a revert, and what it is now
}

func newMachine(ctx workflow.Context, in tell.ClusterInput) *machine {
	return &machine{
		in:     in,
		shape:  shape.Of(ctx),
		orders: orders{paused: in.Paused},
		unit: api.UnitStatus{
			Path: in.Path, Cluster: in.Cluster, Group: in.Group, Stage: in.Stage, Phase: api.PhaseWaiting,
			Started: workflow.Now(ctx).UTC(), Workflow: workflow.GetInfo(ctx).WorkflowExecution.ID,
		},
	}
}

func (r *machine) run(outer workflow.Context) (api.UnitStatus, error) {
	ctx, over := workflow.NewDisconnectedContext(outer)
	defer over()
	if err := r.serve(ctx); err != nil {
		return r.unit, err
	}
	// Being cancelled, by a person in the Temporal UI or because the run was terminated, is an abort: it stops and disarms.
	workflow.GoNamed(ctx, "cancellation", func(ctx workflow.Context) {
		outer.Done().Receive(ctx, nil)
		r.take(tell.Order{Kind: tell.OrderAbort, Who: "cancellation"})
	})
	if r.told = r.shown(); r.shape >= shape.TellsChanges && r.in.TellEvery > 0 {
		workflow.GoNamed(ctx, "herald", r.herald)
	}
	err := r.forward(ctx)
	r.watchNoMore()
	switch {
	case err == nil:
		return r.close(ctx, r.arrived())
	case errors.Is(err, errRollback):
		return r.close(ctx, r.back(ctx))
	case errors.Is(err, errAbort):
		return r.close(ctx, r.leave(ctx, api.PhaseAborted))
	case errors.Is(err, errStop):
		return r.close(ctx, r.leave(ctx, r.stoppedPhase()))
	case errors.Is(err, errSkip):
		return r.close(ctx, r.leave(ctx, api.PhaseSkipped))
	}
	return r.unit, err
}

// arrived is the phase of a unit that went all the way.
func (r *machine) arrived() api.Phase {
	if r.in.Back {
		return api.PhaseRolledBack
	}
	return api.PhaseSucceeded
}

// close writes the unit's status down for good.
func (r *machine) close(ctx workflow.Context, phase api.Phase) (api.UnitStatus, error) {
	for i := range r.unit.Batches {
		b := &r.unit.Batches[i]
		switch {
		case r.in.Back && b.Phase == api.PhaseSucceeded:
			b.Phase = api.PhaseRolledBack
		case !b.Phase.Final(): // it was under way
			b.Phase, b.Ended = phase, workflow.Now(ctx).UTC()
		}
	}
	r.unit.Ended, r.unit.Last = workflow.Now(ctx).UTC(), nil
	if phase != r.arrived() {
		r.unit.Ending = r.orders.ending
	}
	r.set(ctx, phase, nil)
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	record := step.UnitRecord{UnitStatus: r.unit}
	if phase == api.PhaseSucceeded {
		record.Soaking, record.Watched = r.soaking(), r.watched()
	}
	req := step.SaveUnitRequest{Ref: r.in.Ref, Record: record, At: workflow.Now(ctx).UTC()}
	detail, err := ask.For(step.SaveUnit, "record the unit", req).Get(ctx)
	if err != nil {
		return r.unit, fmt.Errorf("cannot record unit %s: %w", r.unit.Path, err)
	}
	r.unit.Detail = detail
	short := r.unit
	short.Batches, short.Checks, short.Failure, short.Cause = nil, nil, show.Brief(r.unit.Failure), show.Brief(r.unit.Cause)
	short.Kept = show.Briefly(r.unit.Kept)
	short.Behind = few(r.unit.Behind)
	if r.in.Closes && r.shape >= shape.ClosesAsItEnded {
		return short, show.Closing(short.Phase, r.in.Back, short.Ending, show.UnitEnd(short), short)
	}
	return short, nil
}
