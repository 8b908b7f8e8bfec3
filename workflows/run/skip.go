package run

import (
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/workflows/tell"
)

// among lists the units of a scope, in plan order.
func (r *rollout) among(scope api.Scope) []api.UnitStatus {
	var out []api.UnitStatus
	for _, st := range r.state.Status.Stages {
		for _, u := range st.Units {
			if scope.Holds(u) {
				out = append(out, u)
			}
		}
	}
	return out
}

// doSkip leaves clusters out. What is open there is told to end where it is, and nobody waits for that.
func (r *rollout) doSkip(ctx workflow.Context, c api.Command) api.Answer {
	by := api.Ending{By: c.Who, Reason: c.Reason}
	var skipped, before []string
	var end []*unitRun
	for _, u := range r.among(c.Scope) {
		unit, run := r.unit(u.Cluster), r.open[u.Cluster]
		switch {
		case run != nil && run.skipped != nil:
			before, end = append(before, u.Cluster), append(end, run) // it may stand at what it could not do to end
			continue
		case unit.Phase == api.PhaseSkipped:
			before = append(before, u.Cluster)
			continue
		case run != nil:
			run.skipped = &by
			end = append(end, run)
		default:
			unit.Phase, unit.Waiting, unit.Ending = api.PhaseSkipped, nil, &by
			if look := r.looks[u.Cluster]; look != nil {
				look.stop()
			}
		}
		skipped = append(skipped, u.Cluster)
	}
	r.tell(ctx, end, tell.Order{Kind: tell.OrderSkip, Who: c.Who, Reason: c.Reason})
	r.inTurn++
	r.refresh(ctx)
	var said []string
	if len(skipped) > 0 {
		said = append(said, fmt.Sprintf("%s goes on without %s; pods there stay as they are", r.in.Run, named(skipped)))
	}
	if len(before) > 0 {
		said = append(said, named(before)+" had been skipped already")
	}
	if r.state.Paused {
		said = append(said, r.in.Run+" is paused still")
	}
	return api.Answer{Message: strings.Join(said, "; ")}
}

var errLeftOut = errors.New("left out")

// leftOut is what a unit that stands in a soak ends on, once a person has left it out.
func (r *rollout) leftOut(unit *api.UnitStatus) error {
	if unit.Phase == api.PhaseSkipped {
		return errLeftOut
	}
	return nil
}
