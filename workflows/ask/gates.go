package ask

import (
	"slices"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/workflows/pace"
)

// Gates runs gates in a local activity: the verdicts are recorded, and the workflow stays deterministic.
func Gates(ctx workflow.Context, req step.EvaluateRequest) []api.Check {
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout: pace.Tuned().LocalActivity, Summary: "gates " + string(req.Point),
		RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 3},
	})
	var found []api.Check
	if err := workflow.ExecuteLocalActivity(ctx, step.Evaluate.Name(), req).Get(ctx, &found); err != nil {
		return []api.Check{{Name: "gates", At: req.Point, Verdict: api.Error, Message: MessageOf(err)}}
	}
	return found
}

// Measures reports whether some of the checks are more than rules: all of them are then measured together, in their order.
func Measures(checks []pipelines.ResolvedCheck) bool {
	return slices.ContainsFunc(checks, func(c pipelines.ResolvedCheck) bool { return c.Measured() })
}
