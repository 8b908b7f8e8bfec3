package plan_test

import (
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
)

func TestHowWhatEndedCloses(t *testing.T) {
	person, itself := &api.Ending{By: "ops"}, &api.Ending{By: api.BySluice}
	for _, c := range []struct {
		reason string
		phase  api.Phase
		back   bool
		by     *api.Ending
		want   plan.Close
	}{
		{"it arrived", api.PhaseSucceeded, false, nil, plan.Completed},
		{"there was nothing to do", api.PhaseSkipped, false, nil, plan.Completed},
		{"it was started to go back, and is", api.PhaseRolledBack, true, nil, plan.Completed},
		{"a person stopped it", api.PhaseAborted, false, person, plan.Cancelled},
		{"its cluster was never there", api.PhaseMissed, false, itself, plan.Cancelled},
		{"a person took it back", api.PhaseRolledBack, false, person, plan.Cancelled},
		{"it took itself back", api.PhaseRolledBack, false, itself, plan.Broken},
		{"nobody says who took it back", api.PhaseRolledBack, false, nil, plan.Broken},
		{"it failed", api.PhaseFailed, false, nil, plan.Broken},
		{"it failed on its way back", api.PhaseFailed, true, person, plan.Broken},
	} {
		if got := plan.ClosesAs(c.phase, c.back, c.by); got != c.want {
			t.Errorf("%s: %s, want %s", c.reason, got, c.want)
		}
	}
}
