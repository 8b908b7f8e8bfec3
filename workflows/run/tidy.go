package run

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/workflows/ask"
	"sluice.dev/sluice/workflows/shape"
)

// litter is where pods of a run may have been left: whoever measured a check or made an attempt may be dead. What a unit made, the unit
// takes away; this is what tasks made, and the soaks of groups and stages.
type litter struct {
	begun bool
	left  int // sites that are still seen to
}

// tidied sets out, once, with taking away the pods that the run may have left, and reports whether that is over. A site of which no
// worker is heard keeps nobody: its pods end by themselves.
func (r *rollout) tidied(ctx workflow.Context) bool {
	if r.litter.begun || r.shape < shape.TidiesUp {
		return r.litter.left == 0
	}
	r.litter.begun = true
	sites, places := r.littered()
	r.litter.left = len(sites)
	for i, site := range sites {
		workflow.GoNamed(ctx, "tidy up", func(ctx workflow.Context) {
			req := step.TidyRequest{Run: r.in.Run, Plan: r.in.Plan, Clusters: places[i]}
			if _, err := ask.For(step.Tidy, "take away what checks have left running", req).Near(site).Get(ctx); err != nil {
				workflow.GetLogger(ctx).Warn("pods of checks stay until their deadline", "run", r.in.Run, "site", site, "error", err)
			}
			r.litter.left--
			r.inTurn++
		})
	}
	return r.litter.left == 0
}

// littered is where the run may have left pods, by site.
func (r *rollout) littered() (sites []string, places [][]step.Place) {
	if r.in.Back != nil {
		return nil, nil // it has neither tasks nor soaks
	}
	add := func(site string, p step.Place) {
		i := slices.Index(sites, site)
		if i < 0 {
			i, sites, places = len(sites), append(sites, site), append(places, nil)
		}
		if !slices.Contains(places[i], p) {
			places[i] = append(places[i], p)
		}
	}
	if tasks := r.plan.Tasks; tasks != nil {
		for _, t := range slices.Concat(tasks.First, tasks.Finally) {
			begun := slices.ContainsFunc(r.state.Status.Tasks, func(s api.TaskStatus) bool { return s.Name == t.Name && !s.Started.IsZero() })
			if place := tasks.Place(t.Cluster); place != nil && begun && t.Check.MakesPods() {
				add(place.Site, step.Place{Cluster: place.Cluster, Context: place.Context})
			}
		}
	}
	for _, st := range r.plan.Stages {
		if !st.MakesPods || st.SoakGroup+st.SoakStage == 0 {
			continue
		}
		for _, u := range st.AllUnits() {
			if r.unit(u.Cluster).Moved {
				add(u.Site, step.Place{Cluster: u.Cluster, Context: u.Context})
			}
		}
	}
	return sites, places
}
