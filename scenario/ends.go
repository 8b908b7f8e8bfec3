package scenario

import (
	"fmt"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
)

// movesTo is what a unit does with a batch.
func movesTo(unit string, r step.AdvanceRequest) string {
	verb := "moves"
	if r.Back {
		verb = "moves back"
	}
	return fmt.Sprintf("%s %s: %d of %d pods", verb, strings.TrimPrefix(r.Unit.Path, unit+"/"), r.Target, r.Total)
}

// phaseOf is a phase and what it waits for, as a decision.
func phaseOf(p api.Phase, waits string) string {
	switch {
	case p == api.PhaseSoaking, p == api.PhaseRollingBack && strings.HasPrefix(waits, string(api.WaitPods)), waits == "":
		return string(p)
	}
	return string(p) + ": " + strings.TrimPrefix(waits, string(api.WaitDecision)+" ")
}

// unitEnd is how a unit ended and why, in one line.
func unitEnd(u api.UnitStatus) string {
	said := "ends " + string(u.Phase)
	if n := u.FailedBatches; n > 0 {
		said += fmt.Sprintf(", with %d of its batches failed", n)
	}
	if f := u.Failure; f != nil {
		said += fmt.Sprintf(": %s %s", f.Name, f.Verdict)
		if f.Message != "" {
			said += ": " + f.Message
		}
	}
	if e := u.Ending; e != nil && (u.Failure == nil || !strings.HasSuffix(e.Reason, u.Failure.Message)) {
		said += "; by " + e.By
		if e.Reason != "" {
			said += ": " + e.Reason
		}
	}
	return said
}
