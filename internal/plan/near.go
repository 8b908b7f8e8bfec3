package plan

import (
	"slices"
)

// Near is the part of the plan that whoever works near some clusters needs: their units, and what tasks do there. It names no other
// cluster, and its bytes are not those that the plan's hash is of.
func (p *Plan) Near(cluster func(name string) bool) *Plan {
	cut := *p
	cut.Notes, cut.Bypasses = nil, nil
	cut.Stages = make([]StagePlan, len(p.Stages))
	for i, s := range p.Stages {
		s.Notes, s.LeftOut, s.Approvers = nil, nil, Approvers{}
		s.Groups = make([]Group, len(p.Stages[i].Groups))
		for j, g := range p.Stages[i].Groups {
			g.Units = nil
			for _, u := range p.Stages[i].Groups[j].Units {
				if cluster(u.Cluster) {
					u.After, u.AfterGroups = nil, nil
					g.Units = append(g.Units, u)
				}
			}
			s.Groups[j] = g
		}
		cut.Stages[i] = s
	}
	if p.Tasks != nil {
		tasks := *p.Tasks
		tasks.First, tasks.Finally = tasksIn(p.Tasks.First, cluster), tasksIn(p.Tasks.Finally, cluster)
		tasks.Places = slices.DeleteFunc(slices.Clone(p.Tasks.Places), func(t TaskPlace) bool { return !cluster(t.Cluster) })
		cut.Tasks = &tasks
	}
	return &cut
}

// Digests are the blobs that a plan is carried out with: the template, and of each unit its values and its way back.
func (p *Plan) Digests() (all []string) {
	all = append(all, p.Source.Template)
	for _, u := range p.AllUnits() {
		all = append(all, u.Values)
		if u.WayBack.Objects != "" {
			all = append(all, u.WayBack.Objects)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func tasksIn(all []Task, cluster func(string) bool) (in []Task) {
	for _, t := range all {
		if t.Cluster != "" && cluster(t.Cluster) {
			in = append(in, t)
		}
	}
	return in
}
