package show

import (
	"slices"

	"sluice.dev/sluice/internal/api"
)

// Run is what a run does, as far as it decides in which phase it shows.
type Run struct {
	Does    api.Phase
	Waiting *api.Waiting
	Soaks   []api.UnitStatus  // the units of the stage that it is at
	Open    []api.UnitStatus  // that are open now
	Decided bool              // one of them was told to end: it holds nobody
	Stages  []api.StageStatus // of all of the run
}

// Phase is the phase in which the run shows: where nothing of it gets on, that of what stands, so that runs which wait for a
// person can be told from those that move.
func (r Run) Phase() api.Phase {
	waitsFor := func(w *api.Waiting, kind api.WaitKind) bool { return w != nil && w.Kind == kind }
	overdrawn := func(s api.StageStatus) bool { return waitsFor(s.Waiting, api.WaitBudget) }
	switch {
	case r.Does == api.PhasePaused && r.Waiting != nil && !waitsFor(r.Waiting, api.WaitPerson) && !waitsFor(r.Waiting, api.WaitFreeze):
		return api.PhaseHeld // a check has stopped it, and nobody else
	case r.Does == api.PhaseSoaking && waitsFor(r.Waiting, api.WaitDecision):
		return mostUrgent(r.Does, r.Soaks)
	case r.Does != api.PhaseMoving || r.Decided || slices.ContainsFunc(r.Open, func(u api.UnitStatus) bool { return u.Phase.Urgency() == 0 }):
		return r.Does
	case len(r.Open) == 0 && slices.ContainsFunc(r.Stages, overdrawn):
		return api.PhaseHeld // too much has gone wrong for anything else to start
	}
	return mostUrgent(r.Does, r.Open)
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

// Progress is the share of units that have ended, in percent, and how many did not end well. Gone says which phases count as ended.
func Progress(stages []api.StageStatus, gone func(api.Phase) bool) (percent, failed int) {
	all, done := 0, 0
	for _, st := range stages {
		for _, u := range st.Units {
			all++
			if gone(u.Phase) {
				done++
			}
			if u.Phase == api.PhaseSkipped {
				continue // what stopped it holds nobody any more
			}
			if u.Phase == api.PhaseRolledBack || u.Failing() {
				failed++
			}
		}
	}
	if all == 0 {
		return 100, 0
	}
	return 100 * done / all, failed
}
