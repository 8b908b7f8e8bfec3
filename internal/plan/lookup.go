package plan

import (
	"slices"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

// Unit finds the unit of a cluster, and the stage that it is in.
func (p *Plan) Unit(cluster string) (*Unit, *StagePlan, bool) {
	for i := range p.Stages {
		s := &p.Stages[i]
		for j := range s.Groups {
			for k := range s.Groups[j].Units {
				if s.Groups[j].Units[k].Cluster == cluster {
					return &s.Groups[j].Units[k], s, true
				}
			}
		}
	}
	return nil, nil, false
}

// Back returns the rules under which a unit goes back: one batch over all nodes, as many pods down at once as on the
// way forward, with nothing to wait for but readiness.
func (r StageRules) Back() StageRules {
	whole := r.Whole()
	back := StageRules{
		NodeSets: whole.NodeSets, Batches: whole.Batches,
		MaxUnavailable: r.MaxUnavailable, MaxBehind: r.MaxBehind, ProgressDeadline: r.ProgressDeadline,
	}
	if j := (Judged{Verdict: api.Failed, Is: []Condition{GoingBack}}); !j.goesOn() {
		back.Checks = r.Checks
	}
	return back
}

// SetsOf returns the node sets that a workload's batches are in.
func (r StageRules) SetsOf(w Division) []pipelines.NodeSet {
	if w.Whole != "" {
		r = r.Whole()
	}
	return r.NodeSets
}

// Whole returns the rules for a workload that moves in one batch over all nodes.
func (r StageRules) Whole() StageRules {
	r.NodeSets = []pipelines.NodeSet{{Name: "all", Selector: pipelines.Selector{All: true}}}
	r.Batches = []pipelines.Amount{pipelines.Percent(100)}
	return r
}

// WayBack returns where a unit goes back to, with what a look has told of it. It works on nil: nobody has looked.
func (l *Live) WayBack(u *Unit) WayBack {
	back := u.WayBack
	if l == nil || back.Exists() {
		return back
	}
	for i := range l.Clusters {
		if l.Clusters[i].Cluster == u.Cluster {
			back.Kind = l.Clusters[i].WayBack
		}
	}
	return back
}

// AllUnits lists the units of a plan in their order.
func (p *Plan) AllUnits() []Unit {
	var units []Unit
	for i := range p.Stages {
		for j := range p.Stages[i].Groups {
			units = append(units, p.Stages[i].Groups[j].Units...)
		}
	}
	return slices.Clip(units)
}

// Keep leaves some clusters of groups, and groups that have one.
func Keep(groups []Group, clusters []string) []Group {
	kept := map[string]bool{}
	for _, c := range clusters {
		kept[c] = true
	}
	out := slices.Clone(groups)
	for i := range out {
		out[i].Units = slices.DeleteFunc(slices.Clone(out[i].Units), func(u Unit) bool { return !kept[u.Cluster] })
	}
	return slices.DeleteFunc(out, func(g Group) bool { return len(g.Units) == 0 })
}
