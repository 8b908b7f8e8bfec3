package workflows

import (
	"slices"

	"sluice.dev/sluice/internal/status"
)

// shown is the phase that a run shows for what it does: where nothing of it gets on, the phase of what stands, so that runs
// which wait for a person can be told from those that move.
func (r *rollout) shown(does status.Phase, waiting *status.Waiting) status.Phase {
	switch {
	case r.shape < phasesSort:
		return r.shownOnce(does)
	case does == status.PhasePaused && waiting != nil && waiting.Kind != "person":
		return status.PhaseHeld // a check has stopped it, and nobody else
	case does == status.PhaseSoaking && waiting != nil && waiting.Kind == "decision":
		return mostUrgent(does, r.state.Status.Stages[r.state.Stage].Units)
	case does != status.PhaseMoving:
		return does
	}
	var open []status.Unit
	for _, u := range r.openUnits() {
		if u.stopping {
			return does // it has been decided about
		}
		open = append(open, *r.unit(u.cluster))
	}
	if slices.ContainsFunc(open, func(u status.Unit) bool { return u.Phase.Urgency() == 0 }) {
		return does
	}
	if len(open) == 0 && slices.ContainsFunc(r.state.Status.Stages, func(s status.Stage) bool { return s.Waiting != nil && s.Waiting.Kind == "budget" }) {
		return status.PhaseHeld // too much has gone wrong for anything else to start
	}
	return mostUrgent(does, open)
}

// mostUrgent is the phase of the unit that needs somebody most, or else another one.
func mostUrgent(shows status.Phase, units []status.Unit) status.Phase {
	for _, u := range units {
		if u.Phase.Urgency() > shows.Urgency() {
			shows = u.Phase
		}
	}
	return shows
}

// shownOnce is how runs of the first shape show: as held where all that they have open stands or is out of reach.
func (r *rollout) shownOnce(does status.Phase) status.Phase {
	if does != status.PhaseMoving {
		return does
	}
	shows := does
	for _, u := range r.openUnits() {
		switch phase := r.unit(u.cluster).Phase; {
		case phase == status.PhaseUnreachable:
		case !phase.Stands():
			return does
		case shows != status.PhaseHeld:
			shows = phase
		}
	}
	return shows
}

// waiting is what a run says that it waits for.
func (r *rollout) waiting() *status.Waiting {
	if r.shape < phasesSort {
		return firstWaiting(&r.state.Status)
	}
	return r.state.Status.WaitsFor()
}

// firstWaiting is what a run waits for: its own reason, else its stage's, else that of its first open unit.
func firstWaiting(s *status.Run) *status.Waiting {
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
func (r *rollout) gone(p status.Phase) bool {
	if r.shape < phasesSort {
		return p.Final()
	}
	return p.Final() && p != status.PhaseSkipped && p != status.PhaseMissed
}
