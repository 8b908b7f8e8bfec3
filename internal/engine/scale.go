package engine

import (
	"context"
	"time"

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

func scaleOf(workloads []plan.Division) Scale {
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

// Soaks is how long a stage stays quiet after each of its groups, and after all of them.
type Soaks struct {
	Stage  time.Duration
	Groups []GroupSoak
}

// GroupSoak is the soak of one group and the clusters that it comes after.
type GroupSoak struct {
	Name     string
	Length   time.Duration
	Clusters []string
}

// Soaks returns, by stage, the soaks of a run's stages and groups.
func (e *Engine) Soaks(ctx context.Context, run string) (map[string]Soaks, error) {
	known, err := e.ledger.Run(ctx, run)
	if err != nil {
		return nil, err
	}
	planned, err := e.LoadPlan(ctx, known.Plan)
	if err != nil || known.Back != "" {
		return nil, err // a rollback has none
	}
	soaks := map[string]Soaks{}
	for _, s := range planned.Plan.Stages {
		of := Soaks{Stage: time.Duration(s.Rules.Soak.Stage)}
		for _, g := range s.Groups {
			soak := GroupSoak{Name: g.Name, Length: time.Duration(s.Rules.Soak.Group)}
			for _, u := range g.Units {
				soak.Clusters = append(soak.Clusters, u.Cluster)
			}
			of.Groups = append(of.Groups, soak)
		}
		soaks[s.Name] = of
	}
	return soaks, nil
}
