package run

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/workflows/shape"
	"sluice.dev/sluice/workflows/tell"
)

// soaks is the group or stage that soaks as a whole; "" where none does, or none can be told to end.
func (r *rollout) soaks() string {
	if r.soaking == nil || r.shape < shape.LooksApart {
		return ""
	}
	return r.soaking.what
}

// doEndSoak ends the quiet time of what soaks now. Every check that looks has its last look.
func (r *rollout) doEndSoak(ctx workflow.Context, c api.Command) api.Answer {
	o := tell.Order{Kind: tell.OrderEndSoak, Who: c.Who, Reason: c.Reason}
	var units []*unitRun
	var what, may []string
	for _, u := range r.openUnits() {
		unit := r.unit(u.cluster)
		if !c.Scope.Holds(*unit) || !plan.MaySoak(unit.Phase) {
			continue
		}
		if units = append(units, u); unit.Phase == api.PhaseSoaking {
			what = append(what, u.cluster)
		} else {
			may = append(may, u.cluster)
		}
	}
	if r.soaks() != "" && c.Scope.Whole() {
		what = append([]string{r.soaking.what}, what...)
		r.endSoak(ctx, r.soaking, o)
	}
	r.tell(ctx, units, o)
	var said []string
	if len(what) > 0 {
		said = append(said, fmt.Sprintf("the soak of %s ends with a last look", named(what)))
	}
	if len(may) > 0 {
		said = append(said, fmt.Sprintf("%s was not heard to soak yet: where it does by now, that ends so", named(may)))
	}
	return api.Answer{Message: strings.Join(said, "; ")}
}

// endSoak ends the soak of a group or stage.
func (r *rollout) endSoak(ctx workflow.Context, s *soak, o tell.Order) {
	if now := workflow.Now(ctx); s.until.After(now) {
		s.until = now
	}
	o.Run = r.in.Run
	for _, u := range s.units {
		switch look := r.looks[u.Cluster]; {
		case look == nil:
		case look.part != nil:
			look.part.tell(u.Cluster, o)
		default:
			look.tell(ctx, o)
		}
	}
	r.inTurn++
}
