package cluster

import (
	"context"
	"time"

	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines"
)

// left is which nodes of a workload are dead now.
func (h held) left(ctx context.Context, req step.AdvanceRequest) ([]goal.Behind, error) {
	sets := req.Goal.Sets
	if len(sets) == 0 {
		sets = pipelines.DefaultRules().NodeSets
	}
	sizes, err := h.driver.Sizes(ctx, h.cluster, h.load.Spec, sets)
	if err != nil {
		return nil, err
	}
	return goal.BehindOf(req.Object, sets, sizes), nil
}

// leftLate is left for a call whose time is over. That it cannot be found out in a moment keeps nobody from being told the rest.
func (h held) leftLate(ctx context.Context, req step.AdvanceRequest) []goal.Behind {
	ctx, over := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer over()
	behind, err := h.left(ctx, req)
	if err != nil {
		return nil
	}
	return behind
}
