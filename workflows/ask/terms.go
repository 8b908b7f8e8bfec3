package ask

import (
	"time"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/workflows/pace"
)

// finalCodes are the failures that the same call would meet again: the workflow decides what becomes of them.
var finalCodes = []string{
	string(fault.Invalid), string(fault.NotFound), string(fault.Conflict),
	string(fault.Refused), string(fault.Unreachable), string(fault.Unauthorized),
}

// terms are how long an activity may take, how soon it has to be heard of, and how often it is tried; 0 is without a bound.
type terms struct {
	takes, heard time.Duration
	tries        int32
}

// termsOf are the terms of a class.
func termsOf(class step.Class) terms {
	t := pace.Tuned()
	switch class {
	case step.Lasting:
		return terms{takes: t.LongActivity, heard: t.Heartbeat}
	case step.Idle, step.Patient, step.Checking:
		return terms{takes: t.LongActivity, heard: t.IdleHeartbeat}
	case step.Ledger:
		return terms{takes: t.LedgerActivity, tries: t.Attempts}
	case step.Vital:
		return terms{takes: t.LedgerActivity}
	}
	return terms{takes: t.ShortActivity, heard: t.Heartbeat, tries: t.Attempts}
}
