package engine

import (
	"context"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"

	"sluice.dev/sluice/internal/step"
)

// progress reads what the long activity of a unit said last: heartbeats are seconds old where the unit's own status is
// as old as the batch.
func (e *Engine) progress(ctx context.Context, server *Server, workflow string) (step.Progress, bool) {
	ctx, cancel := context.WithTimeout(ctx, e.options.Query)
	defer cancel()
	described, err := server.Temporal.DescribeWorkflowExecution(ctx, workflow, "")
	if err != nil {
		return step.Progress{}, false
	}
	for _, a := range described.GetPendingActivities() {
		switch a.GetActivityType().GetName() {
		case step.Advance, step.Observe, step.Revert:
			return decodeProgress(a.GetHeartbeatDetails())
		}
	}
	return step.Progress{}, false
}

func decodeProgress(details *commonpb.Payloads) (step.Progress, bool) {
	var p step.Progress
	if len(details.GetPayloads()) == 0 {
		return p, false
	}
	if err := converter.GetDefaultDataConverter().FromPayloads(details, &p); err != nil {
		return p, false
	}
	return p, p.Total > 0
}
