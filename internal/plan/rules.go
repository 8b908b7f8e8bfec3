package plan

import (
	"slices"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
)

// rules are a stage's effective rules in the shape of a plan, with the checks resolved for its params.
func (b *builder) rules(p *Plan, s *pipelines.Stage) (StageRules, error) {
	r := b.in.Pipeline.EffectiveRules(s)
	if by := r.Order.By; by != pipelines.OrderByRisk && by != pipelines.OrderByName {
		return StageRules{}, fault.New(fault.Invalid, "order is by %q, not by risk or name", by)
	}
	if last := r.Batches[len(r.Batches)-1]; last != pipelines.Percent(100) {
		return StageRules{}, fault.New(fault.Invalid, "the last batch is %s, not 100%%: what is beyond it would stay old", last)
	}
	if last := r.NodeSets[len(r.NodeSets)-1]; !last.All {
		return StageRules{}, fault.New(fault.Invalid, "the last node set is %s, not all: true: nodes beyond it would stay old", last.Name)
	}
	checks, err := b.in.Documents.ResolveChecks(b.in.Pipeline, s, p.Params)
	if err != nil {
		return StageRules{}, fault.Wrap(fault.Invalid, err, "cannot resolve its checks")
	}
	for i := range checks {
		for j := range checks[i].Gates {
			checks[i].Gates[j].Position = pipelines.Position{} // a plan does not know where its files lie
		}
	}
	return StageRules{
		NodeSets:         r.NodeSets,
		Batches:          r.Batches,
		MaxUnavailable:   *r.MaxUnavailable,
		MaxBehind:        r.MaxBehind,
		ProgressDeadline: *r.ProgressDeadline,
		Soak: Soak{
			FirstBatch: r.Soak.Batch.First, Batch: *r.Soak.Batch.Rest, Cluster: *r.Soak.Cluster, Group: *r.Soak.Group, Stage: *r.Soak.Stage,
			MinSamples: r.Soak.Batch.MinSamples,
		},
		Checks:           checks,
		GroupBy:          r.GroupBy,
		Order:            *r.Order,
		MaxConcurrency:   *r.MaxConcurrency,
		MaxFailures:      *r.MaxFailures,
		MaxGroupFailures: r.MaxGroupFailures,
		MaxBatchFailures: *r.MaxBatchFailures,
		MaxUnreachable:   *r.MaxUnreachable,
	}, nil
}

// blindSoaks warns of soaks in which time passes and nobody looks.
func blindSoaks(r StageRules) []string {
	if r.Soak.Cluster+r.Soak.Group+r.Soak.Stage == 0 {
		return nil
	}
	if slices.ContainsFunc(r.Checks, func(c pipelines.ResolvedCheck) bool { return c.RunsAt(pipelines.During) }) {
		return nil
	}
	return []string{"no check looks while a cluster, group or stage soaks; one with at: [during] would"}
}
