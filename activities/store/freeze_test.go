package store_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/step"
)

func TestFailureMode_R16_ARunFreezesOnceWhatItTakesBack(t *testing.T) {
	a, l, hash := stored(t)
	back := step.FreezeVersionRequest{Run: "agent-1", Plan: hash, By: "ann", Reason: "agent-1 was rolled back: it leaks"}
	for range 2 { // a worker may die before it can say that it is done
		if name, err := a.FreezeVersion(t.Context(), back); name != "freeze-1" || err != nil {
			t.Errorf("%s, %v", name, err)
		}
	}
	want := []api.Freeze{{
		Name: "freeze-1", Origin: api.FreezeRollback, Run: "agent-1", InFlight: api.PauseNow, By: "ann", Reason: back.Reason, Since: noon,
		Scope: api.FreezeScope{Component: api.Component("agent"), Digest: "sha256:d"},
	}}
	list, revision, err := l.Frozen(t.Context())
	if diff := cmp.Diff(want, list); diff != "" || revision != 1 || err != nil {
		t.Errorf("at %d, %v (-want +got):\n%s", revision, err, diff)
	}
	if _, err := l.LiftFreeze(t.Context(), "freeze-1", ledger.Lift{By: "bob", Reason: "it did not", At: noon}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.FreezeVersion(t.Context(), back); err != nil {
		t.Error(err)
	}
	if list, _, _ := l.Frozen(t.Context()); len(list) != 0 {
		t.Errorf("what was lifted came back: %v", list)
	}
}

func TestWhatADrillTookBackIsNotFrozen(t *testing.T) {
	a, l, hash := stored(t)
	run, err := l.NewRun(t.Context(), ledger.Run{Plan: hash, Subject: api.Component("agent"), Drill: "crash/1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.FreezeVersion(t.Context(), step.FreezeVersionRequest{Run: run.Name, Plan: hash, By: "sluice", Reason: "it crashed"}); err != nil {
		t.Error(err)
	}
	if list, _, err := l.Frozen(t.Context()); len(list) != 0 || err != nil {
		t.Errorf("the next time of the drill meets %v, %v", list, err)
	}
}

// full is a ledger in which no further freeze may hold.
type full struct{ ledger.Ledger }

func (full) AddFreeze(context.Context, api.Freeze) (api.Freeze, error) {
	return api.Freeze{}, fault.New(fault.Refused, "1000 freezes hold already")
}

func TestARunEndsThoughNothingMoreCanBeFrozen(t *testing.T) {
	a, l, hash := stored(t)
	a.Ledger = full{l}
	if _, err := a.FreezeVersion(t.Context(), step.FreezeVersionRequest{Run: "agent-1", Plan: hash, By: "ann", Reason: "it leaks"}); err != nil {
		t.Error(err)
	}
	entries, err := l.ListEntries(t.Context(), "agent-1", 0)
	if err != nil || len(entries) != 1 || entries[0].Outcome != "refused: 1000 freezes hold already" {
		t.Errorf("the audit has %+v, %v", entries, err)
	}
}
