package plan_test

import (
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
)

func TestWhatADrillProves(t *testing.T) {
	check := func(name string, v api.Verdict) *api.Check { return &api.Check{Name: name, Verdict: v} }
	unit := func(p api.Phase, moved bool, f *api.Check) api.UnitStatus {
		return api.UnitStatus{Path: "e2e/a", Phase: p, Moved: moved, Failure: f, FailedAt: "e2e/a/all/1"}
	}
	run := func(p api.Phase, units ...api.UnitStatus) *api.RunStatus {
		return &api.RunStatus{Phase: p, Stages: []api.StageStatus{{Name: "e2e", Units: units}}}
	}
	with := func(s *api.RunStatus, set func(*api.RunStatus)) *api.RunStatus { set(s); return s }
	failed := check("ready", api.Failed)
	any := api.Drill{Within: 30 * time.Minute, Moves: 1}
	ready := any
	ready.Checks = []string{"steady", "ready"}
	for name, c := range map[string]struct {
		reason string
		drill  api.Drill
		status *api.RunStatus
		late   bool
		want   api.DrillOutcome
		words  string
	}{
		"it moves":                   {"it is too soon", any, run(api.PhaseMoving, unit(api.PhaseMoving, true, nil)), false, api.DrillRuns, ""},
		"a failure is borne":         {"the run goes on, and nobody has stopped it", any, run(api.PhaseMoving, unit(api.PhaseFailed, true, failed), unit(api.PhaseMoving, true, nil)), false, api.DrillRuns, ""},
		"it stands":                  {"a pipeline that pauses has stopped it", ready, run(api.PhaseHeld, unit(api.PhaseHeld, true, failed)), false, api.DrillStopped, ""},
		"it goes back":               {"one that rolls back has", ready, run(api.PhaseRollingBack, unit(api.PhaseRollingBack, true, failed)), false, api.DrillStopped, ""},
		"it is back":                 {"and had", ready, run(api.PhaseRolledBack, unit(api.PhaseRolledBack, true, failed)), true, api.DrillStopped, ""},
		"by its progress":            {"pods that never get ready stop a version too", any, run(api.PhaseStalled, unit(api.PhaseStalled, true, check(api.Progress, api.Inconclusive))), false, api.DrillStopped, ""},
		"by the stage":               {"a check of the stage stopped it", any, with(run(api.PhaseHeld, unit(api.PhaseSucceeded, true, nil)), func(s *api.RunStatus) { s.Stages[0].Checks = []api.Check{*failed} }), false, api.DrillStopped, ""},
		"it went through":            {"nothing stopped it", any, run(api.PhaseSucceeded, unit(api.PhaseSucceeded, true, nil)), false, api.DrillNotStopped, "went all the way"},
		"it went through, unhurt":    {"a failure that was borne stops nothing", any, run(api.PhaseSucceeded, unit(api.PhaseFailed, true, failed)), false, api.DrillNotStopped, "went all the way"},
		"by another check":           {"the one that it is for did not", ready, run(api.PhaseHeld, unit(api.PhaseHeld, true, check("other", api.Failed))), false, api.DrillNotStopped, "check other stopped it, and steady or ready should have"},
		"by one that could not look": {"a check that is broken stops every version", ready, run(api.PhaseHeld, unit(api.PhaseHeld, true, check("ready", api.Error))), false, api.DrillNotStopped, "proves nothing"},
		"too late":                   {"two clusters had it", any, run(api.PhaseRolledBack, unit(api.PhaseRolledBack, true, failed), unit(api.PhaseRolledBack, true, nil)), false, api.DrillNotStopped, "2 clusters had moved"},
		"its time is over":           {"it still goes on", any, run(api.PhaseSoaking, unit(api.PhaseSoaking, true, nil)), true, api.DrillNotStopped, "nothing had stopped it within 30m0s"},
		"nothing failed":             {"it ended, and nobody knows why", any, run(api.PhaseFailed, unit(api.PhaseFailed, true, nil)), false, api.DrillNotStopped, "no check found it bad"},
		"before it moved":            {"a cluster that is ill before stops every version", any, run(api.PhaseFailed, unit(api.PhaseFailed, false, failed)), false, api.DrillNotRun, "before it had moved anything"},
		"it is held before it moved": {"what holds it may end until its time is over", any, run(api.PhaseHeld, unit(api.PhaseHeld, false, failed)), false, api.DrillRuns, ""},
		"it never moved":             {"and was not, in time", any, run(api.PhaseHeld, unit(api.PhaseHeld, false, failed)), true, api.DrillNotRun, "has moved nothing"},
		"a person took it back":      {"nobody can tell what the pipeline would have done", any, with(run(api.PhaseRolledBack, unit(api.PhaseRolledBack, true, nil)), func(s *api.RunStatus) { s.Ending = &api.Ending{By: "ann"} }), false, api.DrillNotRun, "ann ended it"},
		"a freeze holds it":          {"that is no alarm", any, with(run(api.PhaseWaiting, unit(api.PhasePaused, true, nil)), func(s *api.RunStatus) { s.Waiting = &api.Waiting{Kind: api.WaitFreeze, Name: "freeze-3"} }), true, api.DrillNotRun, "freeze-3 held it"},
	} {
		t.Run(name, func(t *testing.T) {
			got := plan.Prove(c.drill, c.status, c.late)
			if got.Outcome != c.want || !strings.Contains(got.Message, c.words) || got.Outcome == api.DrillStopped && got.Check == "" {
				t.Errorf("%s: %+v", c.reason, got)
			}
		})
	}
}
