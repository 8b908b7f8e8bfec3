package unit

import (
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/workflows/ask"
	"sluice.dev/sluice/workflows/shape"
)

// do runs an activity to its end. An order that goes before it interrupts it, and it is run again once the order was
// obeyed; a cluster out of reach is waited for; any other failure holds the unit until somebody resumes it.
func do[Res any](ctx workflow.Context, r *machine, c ask.Call[Res]) (Res, error) {
	return doing(ctx, r, c, func(ctx workflow.Context) (Res, error) { return interruptible(ctx, r, c) })
}

// doing is do where a call is run in a way of its own.
func doing[Res any](ctx workflow.Context, r *machine, c ask.Call[Res], run func(workflow.Context) (Res, error)) (answer Res, err error) {
	for {
		if err := r.obey(ctx); err != nil {
			return answer, err
		}
		r.cut = false
		done, err := run(ctx)
		err = r.unlessCut(err)
		switch {
		case err == nil:
			r.here(ctx)
			return done, nil
		case temporal.IsCanceledError(err):
			if ctx.Err() != nil {
				return answer, err
			}
		case ask.CodeOf(err) == fault.Unreachable:
			if err := r.awaitCluster(ctx, err); err != nil {
				return answer, err
			}
		default:
			failure := api.Check{Name: c.Summary, At: pipelines.Point(c.Name), Verdict: api.Error, Message: ask.MessageOf(err)}
			if err := r.hold(ctx, stoodBy(err), failure, r.unit.Path); err != nil {
				return answer, err
			}
		}
	}
}

// interrupt ends what is under way, for an order or a check that goes before it.
func (r *machine) interrupt() {
	r.cut = true
	r.cancel()
}

// unlessCut is an error of what was under way; a cancelled one where that was interrupted, whatever it says: of a worker that died
// before it could hear of it no more is known than that it did not answer.
func (r *machine) unlessCut(err error) error {
	if err == nil || !r.cut || r.shape < shape.CutShortIsNoFault {
		return err
	}
	return temporal.NewCanceledError()
}

// stoodBy tells what may not be done as planned from what went wrong.
func stoodBy(err error) api.Phase {
	if code := ask.CodeOf(err); code == fault.Refused || code == fault.Conflict {
		return api.PhaseRefused
	}
	return api.PhaseHeld
}

// interruptible runs an activity that take may cancel.
func interruptible[Res any](ctx workflow.Context, r *machine, c ask.Call[Res]) (Res, error) {
	ctx, cancel := workflow.WithCancel(ctx)
	r.cancel = cancel
	defer func() { r.cancel = nil; cancel() }()
	return c.Get(ctx)
}

// must runs an activity that stops or takes back: only an order to end gives it up, with errAbort. A cluster out of reach
// and faults of our own are waited out; what the same call would meet again is returned.
func must[Res any](ctx workflow.Context, r *machine, c ask.Call[Res]) (answer Res, err error) {
	ends := r.orders.ends
	r.firm = true
	defer func() { r.firm = false }()
	for {
		done, err := interruptible(ctx, r, c)
		switch code := ask.CodeOf(err); {
		case err == nil:
			r.here(ctx)
			return done, nil
		case ctx.Err() != nil:
			return answer, err
		case r.orders.ends > ends:
			return answer, fmt.Errorf("%w: told to end while it said: %s", errAbort, ask.MessageOf(err))
		case code == fault.Unreachable:
			r.gone(ctx, err)
			_ = r.answers(ctx)
		case code != fault.Internal:
			return answer, err
		default:
			r.set(ctx, r.unit.Phase, &api.Waiting{Kind: api.WaitRetry, Name: c.Summary, Unmet: []string{ask.MessageOf(err)}})
		}
		if _, err := workflow.AwaitWithTimeout(ctx, r.backOff(), func() bool { return r.orders.ends > ends }); err != nil {
			return answer, err
		}
	}
}

// near is a call of an activity that is served near the cluster.
func near[Req, Res any](r *machine, a step.Activity[Req, Res], summary string, in Req) ask.Call[Res] {
	return ask.For(a, summary, in).Near(r.in.Site)
}
