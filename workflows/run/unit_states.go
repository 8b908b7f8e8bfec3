package run

import (
	"slices"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
)

// stageOf is the stage of a name.
func (r *rollout) stageOf(name string) *step.RunStage {
	return &r.plan.Stages[slices.IndexFunc(r.plan.Stages, func(s step.RunStage) bool { return s.Name == name })]
}

// openUnits returns the open units in the order in which they started.
func (r *rollout) openUnits() []*unitRun {
	var out []*unitRun
	for _, st := range r.state.Status.Stages {
		for _, u := range st.Units {
			if run := r.open[u.Cluster]; run != nil {
				out = append(out, run)
			}
		}
	}
	return out
}

// unit returns the status of a cluster's unit, nil where the run has none.
func (r *rollout) unit(cluster string) *api.UnitStatus {
	if r.at == nil && len(r.state.Status.Stages) > 0 {
		r.at = map[string]*api.UnitStatus{}
		for i := range r.state.Status.Stages {
			units := r.state.Status.Stages[i].Units
			for j := range units {
				if r.at[units[j].Cluster] == nil {
					r.at[units[j].Cluster] = &units[j]
				}
			}
		}
	}
	return r.at[cluster]
}

// unitsOf lists where the units of a group are, whenever it is asked.
func (r *rollout) unitsOf(g *plan.Group) func() []api.UnitStatus {
	return func() []api.UnitStatus {
		var out []api.UnitStatus
		for _, u := range g.Units {
			out = append(out, r.counted(*r.unit(u.Cluster)))
		}
		return out
	}
}

// unitsIn lists where the units of a stage are, whenever it is asked.
func (r *rollout) unitsIn(st *api.StageStatus) func() []api.UnitStatus {
	return func() []api.UnitStatus {
		var out []api.UnitStatus
		for _, u := range st.Units {
			out = append(out, r.counted(u))
		}
		return out
	}
}

// counted is a unit as checks count it: one that a person has left out is skipped, whatever it still has to do to end.
func (r *rollout) counted(u api.UnitStatus) api.UnitStatus {
	if run := r.open[u.Cluster]; run != nil && run.skipped != nil {
		u.Phase = api.PhaseSkipped
	}
	return u
}

// statesOf tells the planner's arithmetic where units are.
func (r *rollout) statesOf(units []plan.Unit) []plan.State {
	out := make([]plan.State, len(units))
	for i, u := range units {
		out[i] = r.stateOf(u.Cluster)
		if r.open[u.Cluster] != nil && out[i] == plan.Pending {
			out[i] = plan.Running // it was started, whatever it says of itself
		}
	}
	return out
}

func (r *rollout) stateOf(cluster string) plan.State {
	if u := r.open[cluster]; u != nil && u.skipped != nil {
		return plan.Skipped // whatever it still has to do to end
	}
	return plan.StateOf(r.unit(cluster).Phase)
}
