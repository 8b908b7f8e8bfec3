package run

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
)

// only is stages without any other clusters than these.
func only(stages []step.RunStage, clusters []string) []step.RunStage {
	out := slices.Clone(stages)
	for i := range out {
		s := &out[i]
		if s.Groups = plan.Keep(s.Groups, clusters); len(s.Groups) == 0 && s.Skipped == "" {
			s.Skipped = "has nothing to try again"
		}
	}
	return out
}

// again reports whether there is something to try again, and which cluster failed where the run has gone on.
func (r *rollout) again() (some bool, left string) {
	for _, st := range r.state.Status.Stages {
		for i := range st.Units {
			u := &st.Units[i]
			switch {
			case u.Phase.Stands(), r.beginsAnew(u):
				some = true
			case failed(u.Phase) && left == "":
				left = u.Cluster
			}
		}
	}
	return some, left
}

func failed(p api.Phase) bool {
	return p == api.PhaseFailed || p == api.PhaseAborted || p == api.PhaseMissed
}

// beginsAnew reports whether a unit has ended badly, and its group still starts units.
func (r *rollout) beginsAnew(u *api.UnitStatus) bool {
	return failed(u.Phase) && r.open[u.Cluster] == nil &&
		slices.ContainsFunc(r.sliding, func(p plan.Unit) bool { return p.Cluster == u.Cluster })
}

func (r *rollout) pausedByPerson() bool {
	w := r.state.Status.Waiting
	return r.state.Paused && (r.state.ByPerson || w == nil || w.Kind == api.WaitPerson)
}

// doRetry lets units begin anew that have ended badly, and those that stand look again.
func (r *rollout) doRetry(ctx workflow.Context, c api.Command) api.Answer {
	var anew, look []string
	for _, st := range r.state.Status.Stages {
		for i := range st.Units {
			switch u := r.unit(st.Units[i].Cluster); {
			case r.beginsAnew(u):
				u.Phase, u.Failure, u.FailedAt, u.Ending, u.Waiting = api.PhasePending, nil, "", nil, nil
				u.Started, u.Ended = time.Time{}, time.Time{}
				anew = append(anew, u.Cluster)
			case u.Phase.Stands():
				look = append(look, u.Cluster)
			}
		}
	}
	r.doResume(ctx, c)
	var said []string
	if len(anew) > 0 {
		said = append(said, named(anew)+" to begin anew")
	}
	if len(look) > 0 {
		said = append(said, named(look)+" to look again")
	}
	return api.Answer{Message: fmt.Sprintf("%s tries again: %s", r.in.Run, strings.Join(said, ", ")) + r.heldStill()}
}

// mostSaid is how many clusters an answer names.
const mostSaid = 5

func named(clusters []string) string { return clip.Few(clusters, mostSaid) }
