package policy

import (
	"slices"
	"strings"

	"sluice.dev/sluice/internal/plan"
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
	j.eachLater(func(stage string, at place, u *plan.Unit, earlier string) bool {
		if where, moved := last[earlier]; moved && !where.before(at) {
			j.broken("order", stage, j.orderText(), "%s (%s) goes before or beside %s (%s)", u.Cluster, u.Environment,
				cluster[earlier], earlier)
			return false
		}
		for _, out := range j.leftOut(at) {
			if out.Environment == earlier && !out.Passed {
				j.broken("order", stage, j.orderText(), "%s (%s) is left out, and this version has not passed there", out.Cluster, earlier)
				return false
			}
		}
		return true
	})
}

// mustPass is kept where at least one cluster of each environment goes before, or has passed.
func (j *judge) mustPass() {
	if len(j.spec.MustPass) == 0 {
		return
	}
	first := map[string]place{} // of an environment, where its first unit moves
	eachUnit(j.Plan, func(at place, u *plan.Unit) {
		if _, seen := first[u.Environment]; !seen {
			first[u.Environment] = at
		}
	})
	j.eachLater(func(stage string, at place, u *plan.Unit, earlier string) bool {
		if !slices.Contains(j.spec.MustPass, earlier) {
			return true
		}
		where, moved := first[earlier]
		passed := slices.ContainsFunc(j.leftOut(at), func(o plan.LeftOut) bool { return o.Environment == earlier && o.Passed })
		if moved && where.before(at) || passed {
			return true
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

// leftOut are the clusters that stages up to a place leave out.
func (j *judge) leftOut(until place) []plan.LeftOut {
	var all []plan.LeftOut
	for i := range j.Plan.Stages[:until.stage+1] {
		all = append(all, j.Plan.Stages[i].LeftOut...)
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
