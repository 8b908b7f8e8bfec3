package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
)

// shown is what of a unit its run shows, as far as a change of it is worth a signal.
type shown struct {
	phase api.Phase
	until time.Time
}

func (r *clusterRollout) shown() shown {
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
func (r *clusterRollout) news() bool { return !r.unit.Phase.Final() && r.shown() != r.told }

// herald keeps the run's picture of the unit up to date. What decides something is told at once, by tell; everything else once
// it has lasted for a moment, and no more often than the run wants to hear it.
func (r *clusterRollout) herald(ctx workflow.Context) {
	for {
		if workflow.Await(ctx, r.news) != nil {
			return
		}
		pause := workflow.AwaitOptions{
			Timeout:      wholeSeconds(max(tuned().Lasting, r.in.TellEvery-workflow.Now(ctx).Sub(r.toldAt))),
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
func (r *clusterRollout) report(ctx workflow.Context) {
	r.told, r.toldAt = r.shown(), workflow.Now(ctx)
	r.reports++
	rep := report{
		Cluster: r.in.Cluster, Phase: r.unit.Phase, Moved: r.unit.Moved, Waiting: r.unit.Waiting, Look: r.looks,
		Failure: brief(r.unit.Failure), FailedAt: r.unit.FailedAt,
		Execution: workflow.GetInfo(ctx).WorkflowExecution.RunID, Number: r.reports,
	}
	dctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	_ = workflow.SignalExternalWorkflow(dctx, r.in.Parent, "", signalReport, rep).Get(dctx, nil)
}
