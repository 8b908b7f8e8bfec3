package run

import (
	"fmt"
	"slices"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/workflows/ask"
	"sluice.dev/sluice/workflows/pace"
	"sluice.dev/sluice/workflows/shape"
)

func (r *rollout) heard(id string) bool { return id != "" && slices.Contains(r.state.Heard, id) }

func (r *rollout) note(id string) {
	r.state.Heard = append(r.state.Heard, id)
	if over := len(r.state.Heard) - pace.Tuned().HeardOrders; over > 0 {
		r.state.Heard = slices.Delete(r.state.Heard, 0, over)
	}
}

// hearStanding obeys standing orders for as long as the run lives.
func (r *rollout) hearStanding(ctx workflow.Context) {
	r.standingOrders = workflow.GetSignalChannelWithOptions(ctx, api.SignalCommand, workflow.SignalChannelOptions{
		Description: "a command that stands until a worker takes the run up",
	})
	workflow.GoNamed(ctx, "standing orders", func(ctx workflow.Context) {
		for {
			var o api.StandingOrder
			r.standingOrders.Receive(ctx, &o)
			r.obeyStanding(ctx, o)
		}
	})
}

// obeyStanding does what a standing order says. Nobody waits for its answer: what came of it is in the audit.
func (r *rollout) obeyStanding(ctx workflow.Context, o api.StandingOrder) {
	r.obeying++
	defer func() { r.obeying-- }()
	i := slices.IndexFunc(r.commands(), func(c command) bool { return c.name == o.Name })
	if i < 0 || o.Command.DryRun || r.heard(o.ID) || !r.knows(o.Name) {
		return
	}
	_, err := r.obey(ctx, r.commands()[i], o.ID, o.Command)
	switch {
	case err == nil:
	case r.closing && o.Name == api.UpdateRollback && ask.CodeOf(err) == fault.Conflict && r.shape >= shape.TakesBackLate:
		r.note(o.ID)
		r.late = append(r.late, o.Command)
	default:
		r.audit(ctx, o.Name, o.Command, api.Answer{Message: "refused: " + ask.MessageOf(err)})
	}
}

// knows reports whether workers of the run's shape may obey a command: to those of before it said nothing, and left no trace.
func (r *rollout) knows(name string) bool {
	switch name {
	case api.UpdateReject:
		return r.shape >= shape.TakesRejections
	case api.UpdateRetreat:
		return r.shape >= shape.TakesBatchesBack
	}
	return r.shape >= shape.TakesSkips || name != api.UpdateSkip && name != api.UpdateEndSoak && name != api.UpdateRetry
}

// takeBackLate has the rollbacks that came while the run wrote down its end started by runs of their own. It returns as attentive does.
func (r *rollout) takeBackLate(ctx workflow.Context) error {
	for {
		if err := r.attentive(ctx); err != nil || len(r.late) == 0 {
			return err
		}
		c := r.late[0]
		r.late = r.late[1:]
		asked := step.TakeBackRequest{Run: r.in.Run, Command: c}
		if _, err := ask.For(step.TakeBack, "take back, by a run of its own", asked).Get(ctx); err != nil {
			r.audit(ctx, api.UpdateRollback, c, api.Answer{Message: "refused: " + ask.MessageOf(err)})
		}
	}
}

// attentive returns once every command that has come was obeyed, told and written down, and nobody waits for an answer any more. What
// the caller does next without waiting, no command comes before.
func (r *rollout) attentive(ctx workflow.Context) error {
	for {
		err := workflow.Await(ctx, func() bool {
			return r.obeying == 0 && r.untold == 0 && len(r.unwritten) == 0 && workflow.AllHandlersFinished(ctx)
		})
		if err != nil {
			return fmt.Errorf("cannot wait for commands: %w", err)
		}
		var o api.StandingOrder
		if !r.standingOrders.ReceiveAsync(&o) {
			return nil
		}
		r.obeyStanding(ctx, o)
	}
}
