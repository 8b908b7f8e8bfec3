package status_test

import (
	"testing"

	"sluice.dev/sluice/internal/status"
)

func TestOutcomeIsComputedFromUnits(t *testing.T) {
	for _, c := range []struct {
		reason string
		units  []status.Phase
		want   status.Phase
	}{
		{"all went all the way", []status.Phase{status.PhaseSucceeded, status.PhaseSucceeded}, status.PhaseSucceeded},
		{"one failed unit is a failed run, however many succeeded", []status.Phase{status.PhaseSucceeded, status.PhaseFailed, status.PhaseSucceeded}, status.PhaseFailed},
		{"failed says more than rolled back", []status.Phase{status.PhaseRolledBack, status.PhaseFailed}, status.PhaseFailed},
		{"what was taken back was not deployed", []status.Phase{status.PhaseSucceeded, status.PhaseRolledBack}, status.PhaseRolledBack},
		{"an aborted unit aborts the run", []status.Phase{status.PhaseSucceeded, status.PhaseAborted, status.PhasePending}, status.PhaseAborted},
		{"units that never started are no success", []status.Phase{status.PhaseSucceeded, status.PhasePending}, status.PhaseAborted},
		{"a unit out of reach that nothing was moved in does not fail the run", []status.Phase{status.PhaseSucceeded, status.PhaseMissed}, status.PhaseSucceeded},
		{"a unit that still waits for a decision has not passed", []status.Phase{status.PhaseSucceeded, status.PhaseHeld}, status.PhaseFailed},
	} {
		t.Run(c.reason, func(t *testing.T) {
			st := status.Stage{Name: "s"}
			for _, p := range c.units {
				st.Units = append(st.Units, status.Unit{Phase: p})
			}
			if got := status.Outcome([]status.Stage{st}); got != c.want {
				t.Errorf("%v came to %s, want %s", c.units, got, c.want)
			}
		})
	}
	failed := status.Stage{Checks: []status.Check{{Name: "slo", Verdict: status.Failed}}, Units: []status.Unit{{Phase: status.PhaseSucceeded}}}
	if got := status.Outcome([]status.Stage{failed}); got != status.PhaseFailed {
		t.Errorf("a stage whose own check failed came to %s", got)
	}
}

func TestFinalPhasesAreNeverLeft(t *testing.T) {
	for _, p := range []status.Phase{status.PhasePending, status.PhaseWaiting, status.PhaseMoving, status.PhaseSoaking, status.PhaseChecking, status.PhasePaused, status.PhaseUnreachable, status.PhaseRollingBack, status.PhaseHeld} {
		if p.Final() {
			t.Errorf("%s is taken for final", p)
		}
	}
}
