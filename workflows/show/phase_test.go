package show_test

import (
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/workflows/show"
)

// units are units in phases.
func units(phases ...api.Phase) (all []api.UnitStatus) {
	for _, p := range phases {
		all = append(all, api.UnitStatus{Phase: p})
	}
	return all
}

func TestThePhaseInWhichARunShows(t *testing.T) {
	person, check := &api.Waiting{Kind: api.WaitPerson}, &api.Waiting{Kind: api.WaitCheck}
	decision, soak := &api.Waiting{Kind: api.WaitDecision}, &api.Waiting{Kind: api.WaitSoak}
	overdrawn := []api.StageStatus{{}, {Waiting: &api.Waiting{Kind: api.WaitBudget}}}
	for _, c := range []struct {
		reason string
		run    show.Run
		want   api.Phase
	}{
		{"somebody has paused it", show.Run{Does: api.PhasePaused, Waiting: person}, api.PhasePaused},
		{"a check has stopped it", show.Run{Does: api.PhasePaused, Waiting: check}, api.PhaseHeld},
		{"it soaks", show.Run{Does: api.PhaseSoaking, Waiting: soak, Soaks: units(api.PhaseHeld)}, api.PhaseSoaking},
		{
			"a unit that it looks at stands",
			show.Run{Does: api.PhaseSoaking, Waiting: decision, Soaks: units(api.PhaseUnreachable, api.PhaseHeld, api.PhaseSucceeded)},
			api.PhaseHeld,
		},
		{"all that is open stands", show.Run{Does: api.PhaseMoving, Open: units(api.PhaseStalled, api.PhaseRefused)}, api.PhaseRefused},
		{"one that is open gets on", show.Run{Does: api.PhaseMoving, Open: units(api.PhaseStalled, api.PhaseSoaking)}, api.PhaseMoving},
		{"what stands was decided about", show.Run{Does: api.PhaseMoving, Decided: true, Open: units(api.PhaseHeld)}, api.PhaseMoving},
		{"nothing is open, and nothing may start", show.Run{Does: api.PhaseMoving, Stages: overdrawn}, api.PhaseHeld},
		{
			"nothing may start, and what is open gets on",
			show.Run{Does: api.PhaseMoving, Stages: overdrawn, Open: units(api.PhaseMoving)}, api.PhaseMoving,
		},
		{"nothing is open yet", show.Run{Does: api.PhaseMoving, Stages: make([]api.StageStatus, 2)}, api.PhaseMoving},
		{"it goes back, whatever stands", show.Run{Does: api.PhaseRollingBack, Open: units(api.PhaseHeld)}, api.PhaseRollingBack},
	} {
		if got := c.run.Phase(); got != c.want {
			t.Errorf("%s: it shows as %s, want %s", c.reason, got, c.want)
		}
	}
}

func TestProgress(t *testing.T) {
	failing := api.UnitStatus{Phase: api.PhaseHeld, Failure: &api.Check{Verdict: api.Failed}}
	erring := api.UnitStatus{Phase: api.PhaseHeld, Failure: &api.Check{Verdict: api.Error}}
	for _, c := range []struct {
		reason          string
		stages          []api.StageStatus
		percent, failed int
	}{
		{"there is nothing to do", nil, 100, 0},
		{"a third has ended", []api.StageStatus{{Units: units(api.PhaseSucceeded)}, {Units: units(api.PhasePending, api.PhaseMoving)}}, 33, 0},
		{"what went back did not end well", []api.StageStatus{{Units: units(api.PhaseRolledBack, api.PhaseFailed)}}, 100, 2},
		{"one that failed and waits for a decision counts", []api.StageStatus{{Units: []api.UnitStatus{failing, erring}}}, 0, 1},
	} {
		if percent, failed := show.Progress(c.stages, api.Phase.Final); percent != c.percent || failed != c.failed {
			t.Errorf("%s: %d%%, %d failed; want %d%%, %d", c.reason, percent, failed, c.percent, c.failed)
		}
	}
}
