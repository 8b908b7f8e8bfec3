package policy

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

// place is where something stands in the order of a plan: groups of stages go one after another.
type place struct{ stage, group int }

func (p place) before(o place) bool {
	return p.stage < o.stage || p.stage == o.stage && p.group < o.group
}

// order is kept where every cluster of an earlier environment has had its turn before one of a later begins. One that the run leaves out
// has had it where the version has passed there.
func (j *judge) order() {
	last := map[string]place{}     // of an environment, where its last unit moves
	cluster := map[string]string{} // that unit
	eachUnit(j.Plan, func(at place, u *plan.Unit) {
		last[u.Environment], cluster[u.Environment] = at, u.Cluster
	})
	outs := leftOut(j.Plan)
	j.eachLater(func(stage string, at place, u *plan.Unit, earlier string) bool {
		if where, moved := last[earlier]; moved && !where.before(at) {
			j.broken("order", stage, j.orderText(), "%s (%s) goes before or beside %s (%s)", u.Cluster, u.Environment,
				cluster[earlier], earlier)
			return false
		}
		if cluster := outs[at.stage][earlier].behind; cluster != "" {
			j.broken("order", stage, j.orderText(), "%s (%s) is left out, and this version has not passed there", cluster, earlier)
			return false
		}
		return true
	})
}

// stops reports whether a run does not go on past a stage in which every cluster failed or was out of reach.
func (j *judge) stops(stage int) bool {
	s := &j.Plan.Stages[stage]
	return j.Plan.OnFailure != pipelines.Continue && s.MaxFailures+s.MaxUnreachable < s.Units()
}

// mustPass is kept where at least one cluster of each environment goes before in a stage that stops what fails there, or has passed.
func (j *judge) mustPass() {
	if len(j.spec.MustPass) == 0 {
		return
	}
	first := map[string]place{}     // of an environment, where its first unit moves
	unstopped := map[string]place{} // the same, where nothing stops what fails there
	eachUnit(j.Plan, func(at place, u *plan.Unit) {
		where := first
		if !j.stops(at.stage) {
			where = unstopped
		}
		if _, seen := where[u.Environment]; !seen {
			where[u.Environment] = at
		}
	})
	outs := leftOut(j.Plan)
	j.eachLater(func(stage string, at place, u *plan.Unit, earlier string) bool {
		if !slices.Contains(j.spec.MustPass, earlier) {
			return true
		}
		where, moved := first[earlier]
		if moved && where.before(at) || outs[at.stage][earlier].passed {
			return true
		}
		if idle, there := unstopped[earlier]; there && idle.before(at) {
			j.broken("mustPass", stage, earlier+" before "+u.Environment, "a stage of %s that goes on whatever fails in it", earlier)
			return false
		}
		j.broken("mustPass", stage, earlier+" before "+u.Environment, "no cluster of %s before %s (%s)", earlier, u.Environment, u.Cluster)
		return false
	})
}

// eachLater calls for each environment that a group moves and that is concerned, with its first unit there, and each environment before
// it, until it returns false: then not again for the stage and that earlier one.
func (j *judge) eachLater(call func(stage string, at place, u *plan.Unit, earlier string) bool) {
	for _, s := range j.stages {
		said := map[string]bool{}
		for g := range s.Groups {
			seen := map[string]bool{}
			for k := range s.Groups[g].Units {
				u := &s.Groups[g].Units[k]
				if seen[u.Environment] || !j.concerns(u) {
					continue
				}
				seen[u.Environment] = true
				for _, earlier := range j.spec.Order[:max(slices.Index(j.spec.Order, u.Environment), 0)] {
					said[earlier] = said[earlier] || !call(s.Name, place{s.index, g}, u, earlier)
				}
			}
		}
	}
}

// out is what a run leaves out of an environment.
type out struct {
	behind string // a cluster in which the version has not passed; "" where there is none
	passed bool   // there is one in which it has
}

// leftOut is, by stage, what it and the stages before it leave out of each environment.
func leftOut(p *plan.Plan) []map[string]out {
	all := make([]map[string]out, len(p.Stages))
	so := map[string]out{}
	for i := range p.Stages {
		for _, l := range p.Stages[i].LeftOut {
			o := so[l.Environment]
			if l.Passed {
				o.passed = true
			} else {
				o.behind = cmp.Or(o.behind, l.Cluster)
			}
			so[l.Environment] = o
		}
		all[i] = maps.Clone(so)
	}
	return all
}

func (j *judge) orderText() string { return strings.Join(j.spec.Order, ", then ") }

// eachUnit calls for every unit of a plan, in its order.
func eachUnit(p *plan.Plan, call func(at place, u *plan.Unit)) {
	for i := range p.Stages {
		for g := range p.Stages[i].Groups {
			for k := range p.Stages[i].Groups[g].Units {
				call(place{i, g}, &p.Stages[i].Groups[g].Units[k])
			}
		}
	}
}
