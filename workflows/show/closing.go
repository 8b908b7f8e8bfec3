package show

import (
	"fmt"

	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/workflows/pace"
)

// Closing is how a run or a unit closes in Temporal's list: nil for completed, where it did what it was started for; cancelled
// where a person ended it, and failed otherwise. The error carries the status, and after it the reason in one line; Ended
// reads it again. Back is for a run, or a unit, that was started to go back.
func Closing(phase api.Phase, back bool, by *api.Ending, reason string, end any) error {
	switch plan.ClosesAs(phase, back, by) {
	case plan.Completed:
		return nil
	case plan.Cancelled:
		return temporal.NewCanceledError(end, reason)
	}
	return temporal.NewNonRetryableApplicationError(reason, string(phase), nil, end, reason)
}

// RunEnd is how a run ended, in one line.
func RunEnd(s *api.RunStatus) string {
	said := endedBy(s.Phase, s.Ending)
	if left := s.LeftOut(); len(left) > 0 {
		said += fmt.Sprintf(", in part: %s left out, %s first", api.Counted(len(left), "unit"), endedBy(api.Phase(left[0].Path), left[0].Ending))
	}
	if takenBackByItself(s.Phase, s.Ending) {
		return clip.Bytes(said, pace.Tuned().MaxMessage)
	}
	stopped := 0
	for _, st := range s.Stages {
		for _, u := range st.Units {
			if u.Failure == nil || u.Phase == api.PhaseSkipped {
				continue
			}
			if stopped++; stopped == 1 {
				said += "; " + stoppedBy(u)
			}
		}
	}
	for i := range s.Tasks {
		if t := &s.Tasks[i]; t.Broke() {
			said += fmt.Sprintf("; task %s: %s: %s", t.Label(), t.Reason, t.Message)
			break
		}
	}
	if stopped > 1 {
		said += fmt.Sprintf(", and %s more", api.Counted(stopped-1, "unit"))
	}
	return clip.Bytes(said, pace.Tuned().MaxMessage)
}

// UnitEnd is how a unit ended, in one line.
func UnitEnd(u api.UnitStatus) string {
	said := endedBy(u.Phase, u.Ending)
	if u.Failure != nil && !takenBackByItself(u.Phase, u.Ending) {
		said += "; " + stoppedBy(u)
	}
	return clip.Bytes(said, pace.Tuned().MaxMessage)
}

// endedBy reads "RolledBack by ops: too slow".
func endedBy(phase api.Phase, by *api.Ending) string {
	switch {
	case by == nil:
		return string(phase)
	case by.Reason == "":
		return fmt.Sprintf("%s by %s", phase, by.By)
	}
	return fmt.Sprintf("%s by %s: %s", phase, by.By, by.Reason)
}

// takenBackByItself reports whether the reason of an end is already what stopped it.
func takenBackByItself(phase api.Phase, by *api.Ending) bool {
	return phase == api.PhaseRolledBack && by != nil && by.ByItself()
}

func stoppedBy(u api.UnitStatus) string {
	return fmt.Sprintf("%s stopped at %s by %s: %s: %s", u.Path, u.FailedAt, u.Failure.Name, u.Failure.Verdict, u.Failure.Message)
}
