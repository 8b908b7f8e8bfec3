package run

import (
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
)

// takingBack is what a rollback of a part of this run does: first the open units, which turn round at once, then those that
// have ended, in the order in which they go.
func (r *rollout) takingBack(scope api.Scope) (api.TakingBack, error) {
	t := api.TakingBack{Run: r.in.Run, Scope: scope, Ends: r.in.Back == nil, Units: []api.UnitBack{}}
	for _, u := range r.openUnits() {
		unit := r.unit(u.cluster)
		if scope.Holds(*unit) {
			t.Units = append(t.Units, api.UnitBack{Path: unit.Path, Cluster: u.cluster, Stops: true, WayBack: r.backTo(u.cluster)})
		} else if !u.paced && !u.back {
			t.Stops = append(t.Stops, unit.Path)
		}
	}
	for _, st := range r.state.Status.Stages {
		for _, u := range st.Units {
			if u.Phase == api.PhasePending && r.open[u.Cluster] == nil {
				t.Unstarted = append(t.Unstarted, u.Path)
			}
		}
	}
	clusters := r.endedIn(scope)
	if len(clusters) == 0 {
		return t, nil
	}
	window, err := plan.Backward(r.lean(), clusters)
	if err != nil {
		return t, err
	}
	for _, u := range window.Group.Units {
		t.Units = append(t.Units, api.UnitBack{Path: u.Path, Cluster: u.Cluster, WayBack: r.backTo(u.Cluster)})
	}
	return t, nil
}

// backTo says where a cluster goes back to.
func (r *rollout) backTo(cluster string) string {
	if !r.canGoBack(cluster) {
		return "as far as its workloads remember, nothing was recorded before"
	}
	return r.wayBack(cluster).String()
}
