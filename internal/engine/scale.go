package engine

import (
	"context"

	"sluice.dev/sluice/internal/plan"
)

// Scale is how much there is to move in a cluster, as the plan saw it.
type Scale struct {
	Batches int `json:"batches"` // that move something
	Pods    int `json:"pods"`
}

// Scales returns, by cluster, how much a run has to move there. Clusters that could not be looked at are left out.
func (e *Engine) Scales(ctx context.Context, run string) (map[string]Scale, error) {
	known, err := e.ledger.Run(ctx, run)
	if err != nil {
		return nil, err
	}
	planned, err := e.LoadPlan(ctx, known.Plan)
	if err != nil || planned.Live == nil {
		return nil, err
	}
	scales := make(map[string]Scale, len(planned.Live.Clusters))
	for _, c := range planned.Live.Clusters {
		if c.Unreachable == "" {
			scales[c.Cluster] = scaleOf(c.Workloads)
		}
	}
	return scales, nil
}

func scaleOf(workloads []plan.Workload) Scale {
	var s Scale
	for _, w := range workloads {
		for _, set := range w.NodeSets {
			s.Pods += set.Pods
			for _, b := range set.Batches {
				if b.Skipped == "" {
					s.Batches++
				}
			}
		}
	}
	return s
}
