package run

import (
	"slices"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/workflows/shape"
)

// shown is the phase that a run shows for what it does: where nothing of it gets on, the phase of what stands, so that runs
// which wait for a person can be told from those that move.
func (r *rollout) shown(does api.Phase, waiting *api.Waiting) api.Phase {
	switch {
	case r.shape < shape.PhasesSort:
		return r.shownOnce(does)
	case does == api.PhasePaused && waiting != nil && waiting.Kind != api.WaitPerson:
		return api.PhaseHeld // a check has stopped it, and nobody else
	case does == api.PhaseSoaking && waiting != nil && waiting.Kind == api.WaitDecision:
		return mostUrgent(does, r.state.Status.Stages[r.state.Stage].Units)
	case does != api.PhaseMoving:
		return does
	}
	var open []api.UnitStatus
	for _, u := range r.openUnits() {
		if u.stopping {
			return does // it has been decided about
		}
		open = append(open, *r.unit(u.cluster))
	}
	if slices.ContainsFunc(open, func(u api.UnitStatus) bool { return u.Phase.Urgency() == 0 }) {
		return does
	}
	overdrawn := func(s api.StageStatus) bool { return s.Waiting != nil && s.Waiting.Kind == api.WaitBudget }
	if len(open) == 0 && slices.ContainsFunc(r.state.Status.Stages, overdrawn) {
		return api.PhaseHeld // too much has gone wrong for anything else to start
	}
	return mostUrgent(does, open)
}

// mostUrgent is the phase of the unit that needs somebody most, or else another one.
func mostUrgent(shows api.Phase, units []api.UnitStatus) api.Phase {
	for _, u := range units {
		if u.Phase.Urgency() > shows.Urgency() {
			shows = u.Phase
		}
	}
	return shows
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
