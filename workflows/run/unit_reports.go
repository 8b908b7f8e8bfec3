package run

import (
	"fmt"
	"slices"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/workflows/show"
	"sluice.dev/sluice/workflows/tell"
)

// heed takes a unit's report: it keeps what it says, and decides about a failure.
func (r *rollout) heed(ctx workflow.Context, rep tell.Report) {
	if rep.Look {
		r.heedLook(ctx, rep)
		return
	}
	u, run := r.unit(rep.Cluster), r.open[rep.Cluster]
	if u == nil || run == nil || run.heardLater(rep) {
		return
	}
	u.Phase, u.Waiting, u.Moved = rep.Phase, rep.Waiting, rep.Moved
	u.Failure, u.FailedAt, u.Last = rep.Failure, rep.FailedAt, rep.Last
	r.spare(u)
	r.inTurn++
	if !rep.Phase.Stands() {
		run.decided = false
	}
	if rep.Phase.Stands() && run.paced {
		// It does not keep the others from going back: it ends here, and the second one that does so brakes the rollback.
		r.tellUnit(ctx, run, tell.Order{Kind: tell.OrderStop, Who: api.BySluice, Reason: "it cannot go back as it is"})
	}
	undecided := !r.ending() && !run.back && !run.decided && run.skipped == nil
	if undecided && rep.Phase == api.PhaseHeld && rep.Failure != nil && rep.Failure.Verdict == api.Failed {
		run.decided = true
		if borne, why := r.decide(ctx, u); borne {
			r.tellUnit(ctx, run, tell.Order{Kind: tell.OrderStop, Who: api.BySluice, Reason: why})
		}
	}
	r.refresh(ctx)
}

// heardLater reports whether a report says how things were before the last one, or is of a unit that has ended.
func (u *unitRun) heardLater(rep tell.Report) bool {
	if rep.Number == 0 {
		return false
	}
	if u.run != "" && rep.Execution != u.run || rep.Number <= u.heard {
		return true
	}
	u.heard = rep.Number
	return false
}

// decide says what a failed unit means for the run, and whether its stage bears it: then the run goes on without it. Only
// Failed comes here: what could not be judged holds its unit and nothing else.
func (r *rollout) decide(ctx workflow.Context, u *api.UnitStatus) (borne bool, why string) {
	fate, why := plan.Failing{Budgets: r.budgets(u), OnFailure: r.plan.OnFailure, Rollback: r.plan.Rollback}.Consequence()
	if fate == plan.Borne {
		return true, why
	}
	why = fmt.Sprintf("%s failed at %s: %s", u.Failure.Name, u.FailedAt, u.Failure.Message)
	if fate == plan.TakenBack {
		r.wantRollback(ctx, api.Scope{}, api.Ending{By: api.BySluice, Reason: why}, why)
		r.auditItself(ctx, api.UpdateRollback, why)
		return false, why
	}
	r.pause(&api.Waiting{
		Kind: api.WaitDecision, Name: u.Path, Since: workflow.Now(ctx).UTC(), Unmet: []string{why},
		Owner: show.AnyDecider,
	})
	r.tellAll(ctx, tell.Order{Kind: tell.OrderPause, Who: api.BySluice, Reason: why})
	return false, why
}

// budgets are how many failed units those bear that a unit belongs to, and how many there are.
func (r *rollout) budgets(u *api.UnitStatus) []plan.Budget {
	stage := r.stageOf(u.Stage)
	ofStage := r.failed(func(o *api.UnitStatus) bool { return o.Stage == u.Stage })
	of := []plan.Budget{{Of: "stage " + u.Stage, Failed: ofStage, Most: stage.MaxFailures}}
	for _, g := range stage.Groups {
		mine := func(o *api.UnitStatus) bool {
			return slices.ContainsFunc(g.Units, func(p plan.Unit) bool { return p.Cluster == o.Cluster })
		}
		if g.MaxFailures != nil && mine(u) {
			of = append(of, plan.Budget{Of: "group " + g.Name, Failed: r.failed(mine), Most: *g.MaxFailures})
		}
	}
	if most := r.plan.MaxFailures; most != nil {
		of = append(of, plan.Budget{Of: "the run", Failed: r.failed(func(*api.UnitStatus) bool { return true }), Most: *most})
	}
	return of
}

// failed counts the units of some that failed, those that wait for a decision included.
func (r *rollout) failed(among func(*api.UnitStatus) bool) int {
	n := 0
	for _, st := range r.state.Status.Stages {
		for i := range st.Units {
			u := &st.Units[i]
			if among(u) && u.Failing() {
				n++
			}
		}
	}
	return n
}
