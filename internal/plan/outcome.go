package plan

import "sluice.dev/sluice/internal/api"

// Outcome computes the final phase of a run from the recorded phases of its units. It is never set by hand. A check of a stage or of
// the run that did not pass fails it, and so does a person who rejects a stage, unless all that had moved was taken back: then there is
// nothing left that it is about.
func Outcome(stages []api.StageStatus) api.Phase {
	seen, unpassed := map[api.Phase]bool{}, false
	for _, s := range stages {
		for _, u := range s.Units {
			if !u.Phase.Final() && u.Phase != api.PhasePending {
				seen[api.PhaseFailed] = true // it was left where it was
			}
			seen[u.Phase] = true
		}
		if _, bad := FirstBad(s.Checks); bad || s.Rejected != nil {
			unpassed = true
		}
	}
	if takenBack := seen[api.PhaseRolledBack] && !seen[api.PhaseSucceeded]; unpassed && !takenBack {
		return api.PhaseFailed
	}
	for _, p := range []api.Phase{api.PhaseFailed, api.PhaseRolledBack, api.PhaseAborted} {
		if seen[p] {
			return p
		}
	}
	if seen[api.PhasePending] {
		return api.PhaseAborted
	}
	return api.PhaseSucceeded
}
