package run

import (
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/workflows/show"
)

// stage runs one stage: approval, checks, its groups one after another, soak and checks.
func (r *rollout) stage(ctx workflow.Context, i int) error {
	p, st := &r.plan.Stages[i], &r.state.Status.Stages[i]
	if p.Skipped != "" {
		st.Phase = api.PhaseSkipped
		return nil
	}
	if err := r.thawed(ctx); err != nil {
		return err
	}
	st.Phase = api.PhaseMoving
	_ = workflow.UpsertTypedSearchAttributes(ctx, show.AttrStage.ValueSet(p.Name))
	if err := r.admitted(ctx, p, st); err != nil {
		return err
	}
	for g := range p.Groups {
		if err := r.group(ctx, p, st, g); err != nil {
			return err
		}
	}
	if err := r.soak(ctx, p.SoakStage, "stage "+p.Name, p, p.AllUnits()); err != nil {
		return err
	}
	if err := r.judgeStage(ctx, st, p.Checks, pipelines.AfterStage, r.unitsIn(st)); err != nil {
		return err
	}
	if !r.ending() {
		st.Phase, st.Waiting = api.PhaseSucceeded, nil
	}
	return nil
}

// unpaused returns once the run is not paused, or is ending.
func (r *rollout) unpaused(ctx workflow.Context) error {
	if !r.state.Paused || r.ending() {
		return nil
	}
	return show.Stand{
		Show: r.show, Phase: api.PhasePaused, Waiting: r.state.Status.Waiting, Then: api.PhaseMoving,
		Until: func() bool { return !r.state.Paused || r.ending() },
	}.Wait(ctx)
}

// group starts units in the plan's order under its concurrency, and ends when each has ended or is out of reach.
func (r *rollout) group(ctx workflow.Context, p *step.RunStage, st *api.StageStatus, i int) error {
	g := &p.Groups[i]
	if err := r.judgeStage(ctx, st, p.Checks, pipelines.BeforeGroup, r.unitsOf(g)); err != nil {
		return err
	}
	window := p.Stage().Window(i, plan.LeftBefore(r.lean().Stages, r.state.Stage, i, r.stateOf))
	window.MaxRunFailures = r.plan.MaxFailures
	if r.plan.OnFailure == pipelines.Continue {
		window.MaxFailures, window.MaxRunFailures, window.Group.MaxFailures = p.Units(), nil, nil
	}
	start, explain := func(u plan.Unit) { r.start(ctx, p.Name, u) }, func(now plan.Decision) { r.explain(ctx, st, now) }
	if err := r.slide(ctx, window, start, explain); err != nil {
		return err
	}
	if err := r.soak(ctx, p.SoakGroup, "group "+g.Name, p, g.Units); err != nil {
		return err
	}
	return r.judgeStage(ctx, st, p.Checks, pipelines.AfterGroup, r.unitsOf(g))
}

// slide starts the units of a window as it opens, until all have ended or the run is ending.
func (r *rollout) slide(ctx workflow.Context, window plan.Window, start func(plan.Unit), explain func(plan.Decision)) error {
	r.sliding = window.Group.Units
	defer func() { r.sliding = nil }()
	for {
		if err := r.unpaused(ctx); err != nil {
			return err
		}
		if r.ending() {
			return r.settled(ctx)
		}
		now := window.Next(r.frozen(window.Group.Units, r.statesOf(window.Group.Units)))
		if now.Done && now.Held == "" {
			return nil
		}
		for _, i := range now.Start {
			start(window.Group.Units[i])
		}
		explain(now)
		r.refresh(ctx)
		turn := r.inTurn
		if err := workflow.Await(ctx, func() bool { return r.inTurn != turn || r.ending() || r.state.Paused }); err != nil {
			return err
		}
	}
}

// explain says why units of a stage do not start.
func (r *rollout) explain(ctx workflow.Context, st *api.StageStatus, now plan.Decision) {
	var unmet []string
	if now.Held != "" {
		unmet = append(unmet, now.Held)
	}
	for _, b := range now.Blocked {
		unmet = append(unmet, b.Why)
	}
	if len(now.Start) > 0 || len(unmet) == 0 {
		st.Waiting = r.waitsForThaw(ctx, st, now)
		return
	}
	st.Waiting = &api.Waiting{
		Kind: api.WaitBudget, Name: st.Name, Since: workflow.Now(ctx).UTC(), Unmet: unmet, Owner: "whoever may abort or roll back",
	}
}
