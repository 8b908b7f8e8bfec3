package plan

import (
	"slices"
	"time"

	"sluice.dev/sluice/internal/api"
)

// Holds are what freezes mean for a run of the plan: those of them that hold, and about which of its clusters. It asks the plan, since
// a run has only what it needs of its units. What takes a run back is held by none of them.
func (p *Plan) Holds(freezes []api.Freeze, revision int64, now time.Time) api.Holds {
	all := api.Holds{Revision: revision}
	for _, f := range freezes {
		about := (f.Scope.Component == api.Subject{} || f.Scope.Component == p.Subject) && (f.Scope.Digest == "" || f.Scope.Digest == p.Digest)
		if !about || !f.Holds(now) {
			continue
		}
		held, units := p.within(f.Scope)
		if len(held) == 0 {
			continue
		}
		if len(held) == units {
			held = nil
		}
		all.List = append(all.List, api.Hold{
			Freeze: f.Name, By: f.By, Reason: f.Reason, InFlight: f.InFlight, Until: f.Until, Clusters: held,
		})
	}
	return all
}

// within are the clusters of the plan that a scope is about, and how many clusters the plan has.
func (p *Plan) within(scope api.FreezeScope) (held []string, units int) {
	for i := range p.Stages {
		if p.Stages[i].Skipped != "" {
			continue
		}
		for _, g := range p.Stages[i].Groups {
			units += len(g.Units)
			for _, u := range g.Units {
				if u.within(scope) {
					held = append(held, u.Cluster)
				}
			}
		}
	}
	return held, units
}

func (u Unit) within(scope api.FreezeScope) bool {
	for key, value := range scope.Labels {
		if has, ok := u.Labels[key]; !ok || has != value {
			return false
		}
	}
	return (scope.Environment == "" || scope.Environment == u.Environment) &&
		(scope.Group == "" || scope.Group == u.Group) &&
		(len(scope.Clusters) == 0 || slices.Contains(scope.Clusters, u.Cluster))
}
