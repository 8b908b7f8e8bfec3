package notify_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/pipelines"
)

func TestEachThingIsToldOnce(t *testing.T) {
	s := newSite(t)
	run := s.start()
	s.tells("it starts", "agent-1/start/0")
	s.tells("nothing has happened since")
	s.shows(run, api.PhaseWaiting, "approval production")
	s.tells("it waits for an approval", "agent-1/approval/1")
	s.tells("and waits still")
	s.phases.open, s.phases.err = nil, errors.New("no Temporal")
	if err := s.Look(t.Context()); err == nil {
		t.Error("nobody hears that Temporal is away")
	}
	s.phases.err = nil
	s.tells("what cannot be seen is where it was")
	s.shows(run, api.PhaseMoving, "pods 1")
	s.tells("it goes on", "agent-1/resumed/1")
	s.shows(run, api.PhaseHeld, "decision cn/c1")
	s.tells("it is held", "agent-1/held/2")
	s.shows(run, api.PhaseMoving, "freeze freeze-1 by bob: loss")
	s.tells("one follows the other", "agent-1/resumed/2", "agent-1/frozen/3")
	s.end(run, api.PhaseRolledBack)
	s.tells("it ends: that it stands no more is said by that", "agent-1/rolledBack/0")
	s.tells("and has ended")

	quick := s.start()
	s.end(quick, api.PhaseFailed)
	s.tells("nobody looked meanwhile", "agent-2/start/0", "agent-2/failed/0")
}

// TestEachHoldIsTold: one that follows another of its kind before anybody looked is another all the same, for whoever hears of it next too;
// more words of the same one are not.
func TestEachHoldIsTold(t *testing.T) {
	s := newSite(t)
	run := s.start()
	s.shows(run, api.PhaseHeld, "decision cn/c1: pods Failed")
	s.tells("it is held", "agent-1/start/0", "agent-1/held/1")
	s.shows(run, api.PhaseHeld, "decision cn/c1: pods Failed: 2 of 9")
	s.tells("the same")
	s.shows(run, api.PhaseHeld, "budget cn: 1 unit out of reach")
	s.tells("what it shows of several that it waits for")
	s.shows(run, api.PhaseHeld, "")
	s.tells("it shows nothing of it")
	s.shows(run, api.PhaseHeld, "budget eu: 1 unit out of reach")
	s.tells("at another place", "agent-1/resumed/1", "agent-1/held/2")
	s.Notifier = s.worker(s.Receivers["pager"])
	s.shows(run, api.PhaseWaiting, "approval eu: 0 of 1")
	s.tells("another kind", "agent-1/resumed/2", "agent-1/approval/3")
	s.shows(run, api.PhaseWaiting, "approval us: 0 of 1")
	s.tells("another approval", "agent-1/resumed/3", "agent-1/approval/4")
}

// TestAPlanThatCannotBeReadMutesNobody: of its run everybody hears who may be meant, and of the others as always.
func TestAPlanThatCannotBeReadMutesNobody(t *testing.T) {
	s := newSite(t)
	s.Receivers["pager"].Spec.Environments = []string{"canary"}
	s.start()
	s.tells("nobody who hears of canary is meant")
	bad, err := s.ledger.PutBlob(t.Context(), []byte("of another time"))
	if err != nil {
		t.Fatal(err)
	}
	old := ledger.Plan{Hash: "0123456789ab", Subject: api.Component("old"), Version: "1", Body: bad, Created: noon, By: "ann"}
	if err := s.ledger.SavePlan(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	run, err := s.ledger.NewRun(t.Context(), ledger.Run{Plan: old.Hash, Subject: old.Subject, Version: "1", Phase: "Moving", Started: noon, By: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	s.tells("it may be meant", "old-1/start/0")
	run.Report = bad
	s.end(run, api.PhaseFailed)
	s.tells("nor can its report", "old-1/failed/0")
	if !strings.Contains(s.inbox.last, `"ending":"its report cannot be read"`) {
		t.Errorf("it hears %s", s.inbox.last)
	}
	s.Receivers["pager"].Spec.Components = []string{"agent"}
	if run, err = s.ledger.NewRun(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	s.tells("not who hears of another component")
}

// TestAFailureSaysWhatElseTouchedIt: as much as there is room for, where something went wrong, and not where nothing did.
func TestAFailureSaysWhatElseTouchedIt(t *testing.T) {
	s := newSite(t)
	asked := 0
	s.Suspects = func(context.Context, string) ([]string, error) {
		asked++
		return []string{"proxy-1 moved the same nodes", strings.Repeat("x", 1000), "c", "d"}, nil
	}
	run := s.start()
	s.tells("it starts", "agent-1/start/0")
	if asked != 0 {
		t.Error("a start is nobody's fault")
	}
	s.shows(run, api.PhaseHeld, "decision cn/c1")
	s.tells("it is held", "agent-1/held/1")
	text := s.inbox.last
	for want, is := range map[string]bool{"proxy-1 moved the same nodes": true, "xxx...": true, strings.Repeat("x", 301): false, "- d": false} {
		if strings.Contains(text, want) != is {
			t.Errorf("that it says %.20q is not %v: %s", want, is, text)
		}
	}
}

// TestWhatStallsIsToldUntilItGetsOn: a run, or a unit of it, that is without progress for longer than its deadline shows as Stalled.
func TestWhatStallsIsToldUntilItGetsOn(t *testing.T) {
	s := newSite(t)
	run := s.start()
	s.shows(run, api.PhaseMoving, "pods cn/c1")
	s.tells("it moves", "agent-1/start/0")
	s.shows(run, api.PhaseStalled, "decision cn/c1")
	s.tells("it gets nowhere", "agent-1/stalled/1")
	s.clock.Step(time.Hour)
	s.tells("still")
	s.shows(run, api.PhaseStalled, "approval production")
	s.tells("who is to approve is told that first", "agent-1/resumed/1", "agent-1/approval/2")
	s.shows(run, api.PhaseMoving, "pods cn/c1")
	s.tells("it gets on", "agent-1/resumed/2")
	s.shows(run, api.PhaseStalled, "")
	s.tells("it stalls once more", "agent-1/stalled/3")
	s.end(run, api.PhaseAborted)
	s.tells("and is given up", "agent-1/aborted/0")
	for _, n := range s.listed() {
		if n.Event == string(pipelines.EventStalled) && n.Settled.IsZero() {
			t.Errorf("%s stands still", n.Key)
		}
	}
}

// TestADrillIsToldWhereItWasNotStopped: its run is meant to fail.
func TestADrillIsToldWhereItWasNotStopped(t *testing.T) {
	for outcome, want := range map[api.DrillOutcome][]string{
		api.DrillStopped: nil, api.DrillNotRun: nil, api.DrillNotStopped: {"agent-2/unstopped/0"},
	} {
		s := newSite(t)
		run := s.start()
		s.end(run, api.PhaseAborted)
		s.look()
		s.tell()
		run.Drill = "crash/1"
		run, err := s.ledger.NewRun(t.Context(), run)
		if err != nil {
			t.Fatal(err)
		}
		s.shows(run, api.PhaseHeld, "decision e2e/c1")
		s.tells("nobody knows what it proves")
		d := api.Drilled{ID: "crash/1", Drill: "crash", Run: run.Name, Outcome: api.DrillRuns, Message: "nothing stopped it"}
		if err := s.ledger.SaveDrilled(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		s.tells("it is under way")
		d.Outcome = outcome
		if err := s.ledger.SaveDrilled(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		s.tells(string(outcome), want...)
		s.end(run, api.PhaseFailed)
		s.tells("its end is no news")
	}
}
