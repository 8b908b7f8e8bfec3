package run

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/workflows/shape"
	"sluice.dev/sluice/workflows/tell"
)

// unwanted reports whether a unit that has not started was told to end.
func (u *unitRun) unwanted() bool {
	return slices.ContainsFunc(u.owed, func(o tell.Order) bool {
		return o.Kind == tell.OrderAbort || !u.back && (o.Kind == tell.OrderRollback || o.Kind == tell.OrderStop || o.Kind == tell.OrderSkip)
	})
}

// tellUnit gives a unit an order.
func (r *rollout) tellUnit(ctx workflow.Context, u *unitRun, o tell.Order) {
	r.tell(ctx, []*unitRun{u}, o)
}

func (r *rollout) tellAll(ctx workflow.Context, o tell.Order) {
	r.tell(ctx, r.openUnits(), o)
}

// tell gives units an order. One whose workflow has not started yet gets it once it has.
func (r *rollout) tell(ctx workflow.Context, units []*unitRun, o tell.Order) {
	ctx, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	var sent []workflow.Future
	for _, u := range units {
		u.stopping = u.stopping || o.Kind == tell.OrderStop || o.Kind == tell.OrderAbort || o.Kind == tell.OrderSkip
		o.Run, o.Back = r.in.Run, u.paced
		switch {
		case u.part != nil:
			u.part.tell(u.cluster, o)
		case u.hears && r.shape < shape.AnswersAtOnce:
			sent = append(sent, u.send(ctx, o))
		default:
			u.owed = append(u.owed, o)
			r.deliver(ctx, u)
		}
	}
	for _, f := range sent {
		// A unit that has just ended cannot hear; its end says all there is.
		_ = f.Get(ctx, nil)
	}
}

// deliver gives a unit what it is owed, in the order in which it was said. Nobody waits for that but the run's end: whoever gave the
// command has an answer before.
func (r *rollout) deliver(ctx workflow.Context, u *unitRun) {
	if !u.hears {
		return
	}
	u.hears = false
	r.untold++
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	workflow.GoNamed(ctx, "tell "+u.cluster, func(ctx workflow.Context) {
		u.tellOwed(ctx)
		r.untold--
	})
}

// tellOwed gives a unit whose workflow has started the orders that wait for it, before any later one.
func (u *unitRun) tellOwed(ctx workflow.Context) {
	for len(u.owed) > 0 {
		o := u.owed[0]
		u.owed = u.owed[1:]
		_ = u.send(ctx, o).Get(ctx, nil)
	}
	u.hears = true
}

func (u *unitRun) send(ctx workflow.Context, o tell.Order) workflow.Future {
	return workflow.SignalExternalWorkflow(ctx, u.id, "", tell.SignalOrder, o)
}
