// Package drill runs a version that is known to be bad, and tells whether it was stopped. What runs is a run like any other.
package drill

import (
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/workflows/ask"
)

// Drill begins a drill, waits until its run was stopped or has to be, and has what ran before put back.
func Drill(ctx workflow.Context, in api.DrillInput) (api.Drilled, error) {
	now := workflow.Now(ctx)
	begins := api.DrillTime{ID: api.DrilledID(in.Drill, now), Drill: in.Drill, Started: now}
	done, err := ask.For(step.BeginDrill, "begin drill "+in.Drill, begins).Get(ctx)
	if err != nil || done.Outcome != api.DrillRuns {
		return done, err
	}
	if _, err := ask.For(step.JudgeDrill, "wait until "+done.Run+" is stopped", done.ID).Get(ctx); err != nil {
		return done, err
	}
	return ask.For(step.EndDrill, "take "+done.Run+" back", done.ID).Get(ctx)
}
