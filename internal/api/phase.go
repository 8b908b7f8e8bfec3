package api

// Phase is where a run, stage or unit is.
type Phase string

// The phases of runs, stages and units. The ones after Stalled are final.
const (
	PhasePending     Phase = "Pending"
	PhaseWaiting     Phase = "Waiting" // for its worker, an approval, a check
	PhaseMoving      Phase = "Moving"
	PhaseSoaking     Phase = "Soaking"
	PhaseChecking    Phase = "Checking"
	PhasePaused      Phase = "Paused" // by a person, or with its run
	PhaseLocked      Phase = "Locked" // another run has the unit; it goes on once that one has ended
	PhaseUnreachable Phase = "Unreachable"
	PhaseRollingBack Phase = "RollingBack"
	PhaseHeld        Phase = "Held"    // a check or an error stands in its way, until somebody decides
	PhaseRefused     Phase = "Refused" // what is there may not be changed as planned (drift, a rule), until somebody decides
	PhaseStalled     Phase = "Stalled" // it did not get on for longer than its progressDeadline, until somebody decides

	PhaseSucceeded  Phase = "Succeeded"
	PhaseFailed     Phase = "Failed"
	PhaseRolledBack Phase = "RolledBack"
	PhaseAborted    Phase = "Aborted"
	PhaseSkipped    Phase = "Skipped"
	PhaseMissed     Phase = "Missed" // out of reach until the run ended; nothing was moved there
)

// Phases lists every phase, in the order in which a run comes by them.
func Phases() []Phase {
	return []Phase{
		PhasePending, PhaseWaiting, PhaseMoving, PhaseSoaking, PhaseChecking, PhasePaused, PhaseLocked, PhaseUnreachable,
		PhaseRollingBack, PhaseHeld, PhaseRefused, PhaseStalled,
		PhaseSucceeded, PhaseFailed, PhaseRolledBack, PhaseAborted, PhaseSkipped, PhaseMissed,
	}
}

// Final reports whether a phase is never left again.
func (p Phase) Final() bool {
	switch p {
	case PhaseSucceeded, PhaseFailed, PhaseRolledBack, PhaseAborted, PhaseSkipped, PhaseMissed:
		return true
	}
	return false
}

// Stands reports whether something has stopped by itself until a person decides. What a person has paused does not.
func (p Phase) Stands() bool { return p == PhaseHeld || p == PhaseRefused || p == PhaseStalled }

// Urgency orders the phases in which nothing gets on by how soon somebody should look: 0 for all others. What needs a person
// comes before what goes on by itself.
func (p Phase) Urgency() int {
	switch p {
	case PhaseLocked:
		return 1
	case PhaseUnreachable:
		return 2
	case PhaseStalled:
		return 3
	case PhaseRefused:
		return 4
	case PhaseHeld:
		return 5
	}
	return 0
}
