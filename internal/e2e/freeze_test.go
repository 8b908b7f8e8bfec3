package e2e_test

import (
	"context"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
)

// A freeze that is made while Temporal cannot be reached holds an open run as soon as a worker tells it. The worker that looked at the run
// is dead, and ends what it did as timed out: for whoever interrupts that it is no fault of the run.
func TestAFreezeThatNobodyCouldTellHolds(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "frozen")
	kill := s.work()
	s.install()
	run := s.start("2.0.0", "slow")
	s.soaking(run)
	kill()
	alone := engine.New(s.ledger, func(context.Context) (*engine.Server, error) {
		return nil, fault.New(fault.Unreachable, "Temporal is gone")
	}, engine.Options{})
	made, err := alone.Freeze(t.Context(), api.Freeze{
		Scope: api.FreezeScope{Component: api.Component(s.component)}, InFlight: api.PauseNow, By: "ann", Reason: "it hurts",
	})
	if err != nil {
		t.Fatal(err)
	}
	if made.Untold == "" || len(made.Runs) != 1 || made.Runs[0].Run != run {
		t.Errorf("who freezes hears %+v", made)
	}
	s.work()
	at := s.until(run, "frozen and disarmed", 2*time.Minute, func(r api.RunStatus) bool {
		u := unitOf(r, "a")
		return u.Phase == api.PhasePaused && !u.Armed
	})
	if w := at.WaitsFor(); w == nil || w.Kind != api.WaitFreeze || w.Name != made.Name {
		t.Errorf("it says that it waits for %+v", w)
	}
	if _, err := s.engine.Unfreeze(t.Context(), made.Name, "bob", "it does no more"); err != nil {
		t.Fatal(err)
	}
	if end := s.ended(run, 2*time.Minute); end.Phase != api.PhaseSucceeded {
		t.Errorf("the run ended %s", end.Phase)
	}
}
