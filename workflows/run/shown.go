package run

import (
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/workflows/shape"
	"sluice.dev/sluice/workflows/show"
)

// shown is the phase that a run shows for what it does.
func (r *rollout) shown(does api.Phase, waiting *api.Waiting) api.Phase {
	if r.shape < shape.PhasesSort {
		return r.shownOnce(does)
	}
	now := show.Run{Does: does, Waiting: waiting, Stages: r.state.Status.Stages}
	if does == api.PhaseSoaking && r.state.Stage < len(now.Stages) {
		now.Soaks = now.Stages[r.state.Stage].Units
	}
	for _, u := range r.openUnits() {
		now.Open = append(now.Open, *r.unit(u.cluster))
		now.Decided = now.Decided || u.stopping
	}
	return now.Phase()
}

// shownOnce is how runs of the first shape show: as held where all that they have open stands or is out of reach.
func (r *rollout) shownOnce(does api.Phase) api.Phase {
	if does != api.PhaseMoving {
		return does
	}
	shows := does
	for _, u := range r.openUnits() {
		switch phase := r.unit(u.cluster).Phase; {
		case phase == api.PhaseUnreachable:
		case !phase.Stands():
			return does
		case shows != api.PhaseHeld:
			shows = phase
		}
	}
	return shows
}

// waiting is what a run says that it waits for.
func (r *rollout) waiting() *api.Waiting {
	if r.shape < shape.PhasesSort {
		return firstWaiting(&r.state.Status)
	}
	return r.state.Status.WaitsFor()
}

// firstWaiting is what a run waits for: its own reason, else its stage's, else that of its first open unit.
func firstWaiting(s *api.RunStatus) *api.Waiting {
	if s.Waiting != nil {
		return s.Waiting
	}
	for _, st := range s.Stages {
		if st.Waiting != nil {
			return st.Waiting
		}
		for _, u := range st.Units {
			if u.Waiting != nil {
				return u.Waiting
			}
		}
	}
	return nil
}

// gone reports whether a unit is counted among those that have ended: one that was never touched is not.
func (r *rollout) gone(p api.Phase) bool {
	if r.shape < shape.PhasesSort {
		return p.Final()
	}
	return p.Final() && p != api.PhaseSkipped && p != api.PhaseMissed
}
