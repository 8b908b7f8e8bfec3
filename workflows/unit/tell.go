package unit

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/workflows/pace"
	"sluice.dev/sluice/workflows/show"
	"sluice.dev/sluice/workflows/tell"
)

// set says where the unit is and what it waits for, in the unit's status, its search attributes and its details.
func (r *machine) set(ctx workflow.Context, phase api.Phase, waiting *api.Waiting) {
	if r.in.Back && !phase.Final() && !phase.Stands() && phase != api.PhaseUnreachable {
		phase = api.PhaseRollingBack
	}
	if waiting != nil {
		waiting.Since = workflow.Now(ctx).UTC()
	}
	changed := r.unit.Phase != phase
	r.unit.Phase, r.unit.Waiting = phase, waiting
	if changed && !r.looks { // nobody searches for looks by what they do
		waits := show.AttrWaitingFor.ValueSet(show.WaitingWords(waiting))
		_ = workflow.UpsertTypedSearchAttributes(ctx, show.AttrPhase.ValueSet(string(phase)), waits)
	}
	workflow.SetCurrentDetails(ctx, show.UnitDetails(r.unit))
}

// tell sets, and reports to the run.
func (r *machine) tell(ctx workflow.Context, phase api.Phase, waiting *api.Waiting) {
	r.set(ctx, phase, waiting)
	r.report(ctx)
}

// shown is what of a unit its run shows, as far as a change of it is worth a signal.
type shown struct {
	phase api.Phase
	until time.Time
}

func (r *machine) shown() shown {
	now := shown{phase: r.unit.Phase}
	switch now.phase {
	case api.PhaseChecking:
		now.phase = api.PhaseMoving // the next batch, or somebody's decision, is a moment away
	case api.PhaseSoaking:
		if r.unit.Waiting != nil {
			now.until = r.unit.Waiting.Until
		}
	}
	return now
}

// news reports whether the run shows the unit as it was.
func (r *machine) news() bool { return !r.unit.Phase.Final() && r.shown() != r.told }

// herald keeps the run's picture of the unit up to date. What decides something is told at once, by tell; everything else once
// it has lasted for a moment, and no more often than the run wants to hear it.
func (r *machine) herald(ctx workflow.Context) {
	for {
		if workflow.Await(ctx, r.news) != nil {
			return
		}
		pause := workflow.AwaitOptions{
			Timeout:      pace.WholeSeconds(max(pace.Tuned().Lasting, r.in.TellEvery-workflow.Now(ctx).Sub(r.toldAt))),
			TimerOptions: workflow.TimerOptions{Summary: "before the run hears of it"},
		}
		if _, err := workflow.AwaitWithOptions(ctx, pause, func() bool { return !r.news() }); err != nil {
			return
		}
		if r.news() {
			r.report(ctx)
		}
	}
}

// report tells the run where the unit is.
func (r *machine) report(ctx workflow.Context) {
	r.told, r.toldAt = r.shown(), workflow.Now(ctx)
	r.reports++
	rep := tell.Report{
		Cluster: r.in.Cluster, Phase: r.unit.Phase, Moved: r.unit.Moved, Waiting: r.unit.Waiting, Look: r.looks, Last: r.unit.Last,
		Failure: show.Brief(r.unit.Failure), FailedAt: r.unit.FailedAt,
		Execution: workflow.GetInfo(ctx).WorkflowExecution.RunID, Number: r.reports,
	}
	dctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	_ = workflow.SignalExternalWorkflow(dctx, r.in.Parent, "", tell.SignalReport, rep).Get(dctx, nil)
}
