package cluster

import (
	"context"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
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

// late is the context of what is asked for a call whose own time is over. That it cannot be found out in a moment keeps nobody
// from being told the rest.
func late(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
}

// stuckLate is what keeps pods from being ready, for a call whose time is over.
func (h held) stuckLate(ctx context.Context, seen rule.Workload) *api.Stuck {
	ctx, over := late(ctx)
	defer over()
	stuck, err := h.driver.StuckPods(ctx, h.cluster, h.load.Spec, seen)
	if err != nil {
		return nil
	}
	return stuck
}

// leftLate is left for a call whose time is over.
func (h held) leftLate(ctx context.Context, req step.AdvanceRequest) []goal.Behind {
	ctx, over := late(ctx)
	defer over()
	behind, err := h.left(ctx, req)
	if err != nil {
		return nil
	}
	return behind
}
