package plan

import "sluice.dev/sluice/internal/api"

// Close is how a run or a unit closes in a list of workflows.
type Close string

// The ways to close.
const (
	Completed Close = "Completed" // it did what it was started for
	Cancelled Close = "Cancelled" // a person ended it, or its cluster was never there
	Broken    Close = "Broken"    // it ended otherwise
)

// ClosesAs says how what ended in a phase closes. Back is for what was started to go back; by is who ended it, nil where nobody did.
func ClosesAs(phase api.Phase, back bool, by *api.Ending) Close {
	switch phase {
	case api.PhaseSucceeded, api.PhaseSkipped:
		return Completed
	case api.PhaseAborted, api.PhaseMissed:
		return Cancelled
	case api.PhaseRolledBack:
		if back {
			return Completed
		}
		if !by.ByItself() {
			return Cancelled
		}
	}
	return Broken
}
