package check

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

func TestAMeasurementThatBrokeForgetsNothing(t *testing.T) {
	begun := Tally{Kept: []byte(`"a"`)}
	if got := begun.add(pipelines.Repeat{}, 1, Finding{Verdict: api.Error}, time.Unix(0, 0)); string(got.Kept) != `"a"` {
		t.Errorf("%s is kept", got.Kept)
	}
	if got := begun.add(pipelines.Repeat{}, 1, Finding{Verdict: api.Passed, Keep: []byte(`"b"`)}, time.Unix(0, 0)); string(got.Kept) != `"b"` {
		t.Errorf("%s is kept", got.Kept)
	}
}

// TestAnotherClockKeepsNobodyFromLooking: a tally that a worker hands on whose clock is a day ahead is measured after an interval, with
// what was counted.
func TestAnotherClockKeepsNobodyFromLooking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ahead := time.Now().Add(24 * time.Hour)
		s := newScript(Finding{Verdict: api.Passed})
		i := Inquiry{Point: pipelines.During, Checks: []pipelines.ResolvedCheck{aCheck("c", every(time.Minute, pipelines.Repeat{Count: 3}))}}
		i.Before = Tallies{"c/step": {Began: ahead, Due: ahead.Add(time.Minute), Tried: 1, Measured: 1, Passed: 1}}
		found, err := measurerOf(s).Watch(t.Context(), i)
		if took := time.Since(s.began); err != nil || found[0].Verdict != api.Passed || len(s.asked) != 2 || took > 2*time.Minute {
			t.Errorf("it found %+v, %v after %s and %d measurements", found, err, took, len(s.asked))
		}
	})
}

// TestACheckThatLooksAtNothingIsNoPass: no document says so, and what says so all the same has looked at nothing.
func TestACheckThatLooksAtNothingIsNoPass(t *testing.T) {
	m, i := measurerOf(newScript(Finding{Verdict: api.Passed})), Inquiry{Checks: []pipelines.ResolvedCheck{{Name: "empty", Enforcement: pipelines.Enforcing}}}
	for name, ask := range map[string]func(context.Context, Inquiry) ([]api.Check, error){"asked": m.Ask, "watched": m.Watch} {
		if found, err := ask(t.Context(), i); err != nil || found[0].Verdict != api.Error || found[0].Message != "the check has no step" {
			t.Errorf("%s it is %+v, %v", name, found, err)
		}
	}
}
