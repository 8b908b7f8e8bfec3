package run

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/workflows/ask"
	"sluice.dev/sluice/workflows/shape"
)

// freezeVersion keeps anybody from starting again what goes back. Nothing waits for it but the run's end: as long as the run is open
// nothing else moves its clusters, and by then the freeze is there.
func (r *rollout) freezeVersion(ctx workflow.Context, who, reason string) {
	if r.shape < shape.FreezesWhatWasBad || r.froze {
		return
	}
	r.froze, r.freezing = true, true
	request := step.FreezeVersionRequest{Run: r.in.Run, Plan: r.in.Plan, By: who, Reason: api.WhyRolledBack(r.backOf(), reason)}
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	workflow.GoNamed(ctx, "freeze version", func(ctx workflow.Context) {
		defer func() { r.freezing = false }()
		if _, err := ask.For(step.FreezeVersion, fmt.Sprintf("freeze %s %s", r.plan.Subject, r.plan.Version), request).Get(ctx); err != nil {
			workflow.GetLogger(ctx).Error("cannot freeze what goes back", "run", r.in.Run, "error", err)
		}
	})
}
