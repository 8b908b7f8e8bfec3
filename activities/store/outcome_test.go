package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/step"
)

func TestWhatFusesCount(t *testing.T) {
	bad := &api.Check{Name: "pods", Verdict: api.Failed}
	for name, c := range map[string]struct {
		unit   api.UnitStatus
		back   bool
		counts bool
		failed bool
	}{
		"it failed":                       {api.UnitStatus{Phase: api.PhaseFailed}, false, true, true},
		"it failed, and was taken back":   {api.UnitStatus{Phase: api.PhaseRolledBack, Failure: bad}, false, true, true},
		"it went all the way":             {api.UnitStatus{Phase: api.PhaseSucceeded}, false, true, false},
		"a person took it back":           {api.UnitStatus{Phase: api.PhaseRolledBack, Ending: &api.Ending{By: "ann"}}, false, false, false},
		"a person left it out":            {api.UnitStatus{Phase: api.PhaseSkipped, Failure: bad}, false, false, false},
		"a person ended it":               {api.UnitStatus{Phase: api.PhaseAborted}, false, false, false},
		"nobody could look":               {api.UnitStatus{Phase: api.PhaseAborted, Failure: &api.Check{Verdict: api.Error}}, false, false, false},
		"it was out of reach to the end":  {api.UnitStatus{Phase: api.PhaseFailed, Failure: &api.Check{Name: api.CheckReach, At: api.AtUnit, Verdict: api.Error}}, false, false, false},
		"a limit refused it":              {api.UnitStatus{Phase: api.PhaseFailed, Failure: &api.Check{Name: "may c1 change", At: "ledger.Enter", Verdict: api.Error}}, false, false, false},
		"it goes back, and fails at that": {api.UnitStatus{Phase: api.PhaseFailed}, true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			a, l, hash := stored(t)
			run, err := l.NewRun(t.Context(), ledger.Run{Plan: hash, Subject: api.Component("agent"), Started: noon})
			if err != nil {
				t.Fatal(err)
			}
			ref := step.Ref{Run: run.Name, Plan: hash, Cluster: "c1", Back: c.back}
			c.unit.Ended = noon
			for range 2 { // a worker may die before it can say that it is done
				if _, err := a.SaveUnit(t.Context(), step.SaveUnitRequest{Ref: ref, Record: step.UnitRecord{UnitStatus: c.unit}}); err != nil {
					t.Fatal(err)
				}
			}
			// What failed has others counted, too.
			other := ledger.Outcome{Run: run.Name, Cluster: "c2", Plan: hash, Failed: noon, Ended: noon}
			if err := l.NoteOutcome(t.Context(), other); err != nil {
				t.Fatal(err)
			}
			all, err := l.ListOutcomes(t.Context(), noon.Add(-time.Hour))
			if err != nil || (len(all) == 2) != c.counts || c.counts && all[0].Failed.IsZero() == c.failed {
				t.Errorf("it counts as %+v, %v", all, err)
			}
		})
	}
}

func TestWhatFailsInTheSoakOfItsStageCountsWhenTheRunEnds(t *testing.T) {
	a, l, hash := stored(t)
	run, err := l.NewRun(t.Context(), ledger.Run{Plan: hash, Subject: api.Component("agent"), Started: noon})
	if err != nil {
		t.Fatal(err)
	}
	passed := api.UnitStatus{Cluster: "c1", Phase: api.PhaseSucceeded, Ended: noon}
	ref := step.Ref{Run: run.Name, Plan: hash, Cluster: "c1"}
	if _, err := a.SaveUnit(t.Context(), step.SaveUnitRequest{Ref: ref, Record: step.UnitRecord{UnitStatus: passed}}); err != nil {
		t.Fatal(err)
	}
	ended := noon.Add(time.Minute)
	report := api.RunStatus{Name: run.Name, Plan: hash, Phase: api.PhaseFailed, Ended: ended, Stages: []api.StageStatus{{
		Units: []api.UnitStatus{{Cluster: "c1", Phase: api.PhaseFailed, Ended: ended}, {Cluster: "c2", Phase: api.PhaseSkipped}},
	}}}
	if _, err := a.SaveRun(t.Context(), report); err != nil {
		t.Fatal(err)
	}
	all, err := l.ListOutcomes(t.Context(), noon.Add(-time.Hour))
	want := []ledger.Outcome{{Run: run.Name, Cluster: "c1", Plan: hash, Failed: ended, Ended: noon}}
	if diff := cmp.Diff(want, all); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestAUnitThatStandsWhereItFailedCounts(t *testing.T) {
	a, l, hash := stored(t)
	run, err := l.NewRun(t.Context(), ledger.Run{Plan: hash, Subject: api.Component("agent"), Started: noon})
	if err != nil {
		t.Fatal(err)
	}
	ref := step.Ref{Run: run.Name, Plan: hash, Cluster: "c1"}
	if _, err := a.NoteFailure(t.Context(), step.FailureRequest{Ref: ref, At: noon}); err != nil {
		t.Fatal(err)
	}
	still, err := l.Failing(t.Context())
	want := []ledger.Outcome{{Run: run.Name, Cluster: "c1", Plan: hash, Failed: noon}}
	if diff := cmp.Diff(want, still); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	back := api.UnitStatus{Cluster: "c1", Phase: api.PhaseRolledBack, Ended: noon.Add(time.Minute)}
	if _, err := a.SaveUnit(t.Context(), step.SaveUnitRequest{Ref: ref, Record: step.UnitRecord{UnitStatus: back}}); err != nil {
		t.Fatal(err)
	}
	if still, err = l.Failing(t.Context()); err != nil || len(still) != 0 {
		t.Errorf("it went back, and stands as %+v, %v", still, err)
	}
}
