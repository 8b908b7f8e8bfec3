package plan_test

import (
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
)

func TestOutcomeIsComputedFromUnits(t *testing.T) {
	for _, c := range []struct {
		reason string
		units  []api.Phase
		want   api.Phase
	}{
		{"all went all the way", []api.Phase{api.PhaseSucceeded, api.PhaseSucceeded}, api.PhaseSucceeded},
		{"one failed unit is a failed run, however many succeeded", []api.Phase{api.PhaseSucceeded, api.PhaseFailed, api.PhaseSucceeded}, api.PhaseFailed},
		{"failed says more than rolled back", []api.Phase{api.PhaseRolledBack, api.PhaseFailed}, api.PhaseFailed},
		{"what was taken back was not deployed", []api.Phase{api.PhaseSucceeded, api.PhaseRolledBack}, api.PhaseRolledBack},
		{"an aborted unit aborts the run", []api.Phase{api.PhaseSucceeded, api.PhaseAborted, api.PhasePending}, api.PhaseAborted},
		{"units that never started are no success", []api.Phase{api.PhaseSucceeded, api.PhasePending}, api.PhaseAborted},
		{"a unit out of reach that nothing was moved in does not fail the run", []api.Phase{api.PhaseSucceeded, api.PhaseMissed}, api.PhaseSucceeded},
		{"a unit that still waits for a decision has not passed", []api.Phase{api.PhaseSucceeded, api.PhaseHeld}, api.PhaseFailed},
	} {
		t.Run(c.reason, func(t *testing.T) {
			st := api.StageStatus{Name: "s"}
			for _, p := range c.units {
				st.Units = append(st.Units, api.UnitStatus{Phase: p})
			}
			if got := plan.Outcome([]api.StageStatus{st}); got != c.want {
				t.Errorf("%v came to %s, want %s", c.units, got, c.want)
			}
		})
	}
	for reason, c := range map[string]struct {
		units []api.Phase
		want  api.Phase
	}{
		"what a failed check is about was taken back": {[]api.Phase{api.PhaseRolledBack, api.PhasePending}, api.PhaseRolledBack},
		"a part of it stands still":                   {[]api.Phase{api.PhaseRolledBack, api.PhaseSucceeded}, api.PhaseFailed},
	} {
		st := api.StageStatus{Checks: []api.Check{{Name: "slo", Verdict: api.Failed}}}
		for _, p := range c.units {
			st.Units = append(st.Units, api.UnitStatus{Phase: p})
		}
		if got := plan.Outcome([]api.StageStatus{st}); got != c.want {
			t.Errorf("%v came to %s, want %s: %s", c.units, got, c.want, reason)
		}
	}
	failed := api.StageStatus{Checks: []api.Check{{Name: "slo", Verdict: api.Failed}}, Units: []api.UnitStatus{{Phase: api.PhaseSucceeded}}}
	if got := plan.Outcome([]api.StageStatus{failed}); got != api.PhaseFailed {
		t.Errorf("a stage whose own check failed came to %s", got)
	}
}
