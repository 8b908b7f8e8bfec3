package run

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
	"sluice.dev/sluice/workflows/ask"
	"sluice.dev/sluice/workflows/pace"
	"sluice.dev/sluice/workflows/show"
)

// judgeStage runs the checks of a group or stage. One that does not pass holds the run until it is resumed.
func (r *rollout) judgeStage(
	ctx workflow.Context, st *api.StageStatus, all []pipelines.ResolvedCheck, point pipelines.Point, units func() []api.UnitStatus,
) error {
	return r.judge(ctx, &st.Checks, pipelines.ChecksAt(all, point), point, func() rule.Stage { return plan.StageFacts(st.Name, units()) })
}

// judgeRun runs the checks of the run as a whole, which see its units of all stages.
func (r *rollout) judgeRun(ctx workflow.Context, point pipelines.Point) error {
	return r.judge(ctx, &r.state.Status.Checks, pipelines.ChecksAt(r.plan.Checks, point), point, r.allUnits)
}

// allUnits is where the units of all stages are.
func (r *rollout) allUnits() rule.Stage {
	var units []api.UnitStatus
	for _, st := range r.state.Status.Stages {
		units = append(units, st.Units...)
	}
	return plan.StageFacts("", units)
}

// change is what the run moves, as facts have it.
func (r *rollout) change() rule.Change {
	return rule.Change{
		Component: r.plan.Subject.String(), Version: r.plan.Version, Pipeline: r.plan.Pipeline, Plan: r.in.Plan, Run: r.in.Run,
		By: r.in.By,
	}
}

// judge runs checks until they hold. What they found last is kept with whatever they are about.
func (r *rollout) judge(
	ctx workflow.Context, kept *[]api.Check, checks []pipelines.ResolvedCheck, point pipelines.Point, stage func() rule.Stage,
) error {
	for len(checks) > 0 && !r.ending() {
		facts := rule.Facts{Stage: stage(), Change: r.change()}
		*kept = r.verdicts(ctx, step.EvaluateRequest{Point: point, Checks: checks, Facts: facts})
		bad, held := plan.FirstBad(*kept)
		r.spareChecks(*kept)
		if !held {
			return nil
		}
		why := show.Undecided(bad)
		why.Kind, why.Since = api.WaitCheck, workflow.Now(ctx).UTC()
		r.pause(why)
		if err := r.unpaused(ctx); err != nil {
			return err
		}
	}
	return nil
}

// spareChecks keeps what checks say and saw within what the run's status can hold. Those of now keep theirs, then those of the run,
// then those of its stages from the last one on.
func (r *rollout) spareChecks(now []api.Check) {
	lists := [][]api.Check{now}
	add := func(list []api.Check) {
		if len(list) > 0 && &list[0] != &now[0] {
			lists = append(lists, list)
		}
	}
	if len(now) == 0 {
		return
	}
	add(r.state.Status.Checks)
	for _, st := range slices.Backward(r.state.Status.Stages) {
		add(st.Checks)
	}
	show.SpareChecks(pace.Tuned().SaidOfChecks, lists...)
}

// verdicts are what checks make of facts. Those that are more than rules take their time: a run that ends waits for none.
func (r *rollout) verdicts(ctx workflow.Context, req step.EvaluateRequest) []api.Check {
	if !ask.Measures(req.Checks) {
		return ask.Gates(ctx, req)
	}
	ref := step.Ref{Run: r.in.Run, Plan: r.in.Plan, Subject: r.plan.Subject}
	within, end := workflow.WithCancel(ctx)
	defer end()
	r.show(ctx, api.PhaseChecking, &api.Waiting{Kind: api.WaitCheck, Name: string(req.Point), Since: workflow.Now(ctx).UTC()})
	measured := step.ChecksRequest{Ref: ref, Point: req.Point, Checks: req.Checks, Facts: req.Facts}
	asked := ask.For(step.Ask, "checks "+string(req.Point), measured).Start(within)
	if err := workflow.Await(ctx, func() bool { return asked.Ready() || r.ending() }); err != nil || !asked.Ready() {
		return nil
	}
	found, err := asked.Get(ctx)
	if err != nil {
		return []api.Check{{Name: "checks " + string(req.Point), At: req.Point, Verdict: api.Error, Message: ask.MessageOf(err)}}
	}
	r.show(ctx, api.PhaseMoving, nil)
	return found
}
