package workflows_test

import (
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/step"
)

// leaves has an order stand in the run's history from a time on.
func (w *world) leaves(after time.Duration, o api.StandingOrder) {
	w.env.RegisterDelayedCallback(func() { w.env.SignalWorkflow(api.SignalCommand, o) }, after)
}

func TestAStandingOrderIsObeyed(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.leaves(time.Second, api.StandingOrder{ID: "1", Name: api.UpdateAbort, Command: api.Command{Who: "ann", Reason: "hm"}})
	end := w.run(t)
	if end.Phase != api.PhaseAborted {
		t.Errorf("the run ended %s", end.Phase)
	}
	w.expect(t, []string{"Disarm a", "Release a Aborted"}, []string{"Acquire b"})
	want := step.AuditRequest{Who: "ann (unverified)", Command: "abort", Run: "agent-1", Scope: "run", Reason: "hm"}
	if len(w.audit) != 1 || !strings.HasPrefix(w.audit[0].Outcome, "agent-1 ends") {
		t.Fatalf("the audit has %+v", w.audit)
	}
	w.audit[0].Outcome = ""
	if w.audit[0] != want {
		t.Errorf("the audit has %+v", w.audit[0])
	}
}

func TestAnOrderActsOnce(t *testing.T) {
	w := newWorld(t, "a")
	w.plan.Stages[0].Approvals = 2
	pause := api.StandingOrder{ID: "1", Name: api.UpdatePause, Command: api.Command{Who: "ann"}}
	w.leaves(time.Minute, pause)
	w.command(time.Hour, api.UpdateResume, api.Command{})
	w.leaves(2*time.Hour, pause) // the same once more, late
	w.leaves(3*time.Hour, api.StandingOrder{ID: "2", Name: api.UpdateApprove, Command: api.Command{Who: "one", Plan: "0123456789"}})
	w.leaves(4*time.Hour, api.StandingOrder{ID: "3", Name: api.UpdateApprove, Command: api.Command{Who: "two", Plan: "0123456789"}})
	w.command(10*time.Hour, api.UpdateAbort, api.Command{})
	end := w.run(t)
	if end.Phase != api.PhaseSucceeded {
		t.Errorf("the run ended %s: the pause came twice", end.Phase)
	}
}

func TestAStandingOrderThatIsRefusedIsInTheAudit(t *testing.T) {
	w := newWorld(t, "a")
	w.leaves(time.Second, api.StandingOrder{ID: "1", Name: api.UpdateApprove, Command: api.Command{Who: "ann", Plan: "ffffffff"}})
	end := w.run(t)
	if end.Phase != api.PhaseSucceeded {
		t.Errorf("the run ended %s", end.Phase)
	}
	if len(w.audit) != 1 || !strings.HasPrefix(w.audit[0].Outcome, "refused: cannot approve agent-1: it runs plan 0123456789ab") {
		t.Errorf("the audit has %+v", w.audit)
	}
}

func TestAStandingOrderThatComesLastIsNotLost(t *testing.T) {
	for _, c := range []struct {
		name  string
		twice bool // the same comes once more
		fails error
		back  int    // how many runs are to take it back
		audit string // what the run itself writes
	}{
		{name: api.UpdateRollback, back: 1},
		{name: api.UpdateRollback, twice: true, back: 1},
		{name: api.UpdateRollback, fails: fault.New(fault.NotFound, "no such plan"), audit: "refused: no such plan"},
		{name: api.UpdatePause, audit: "refused: cannot pause agent-1: it has just ended"},
	} {
		t.Run(c.name+" "+c.audit, func(t *testing.T) {
			w := newWorld(t, "a")
			o := api.StandingOrder{ID: "1", Name: c.name, Command: api.Command{Who: "ann", Reason: "hm"}}
			late := false
			w.fails = func(name, _ string) error {
				switch name {
				case step.SaveRun.Name(): // while the run writes itself down
					if !late {
						w.env.SignalWorkflow(api.SignalCommand, o)
					}
					late = true
				case step.TakeBack.Name():
					if c.twice {
						w.env.SignalWorkflow(api.SignalCommand, o)
					}
					return c.fails
				}
				return nil
			}
			if end := w.run(t); !late || end.Phase != api.PhaseSucceeded {
				t.Errorf("the run ended %s", end.Phase)
			}
			if len(w.back) != c.back || c.back > 0 && w.back[0].Who != "ann" {
				t.Errorf("it has %+v taken back", w.back)
			}
			if c.audit == "" && len(w.audit) == 0 {
				return
			}
			if len(w.audit) != 1 || w.audit[0].Outcome != c.audit {
				t.Errorf("the audit has %+v", w.audit)
			}
		})
	}
}

func TestACommandUnderAnIDOfItsCallerActsOnce(t *testing.T) {
	w := newWorld(t, "a")
	w.plan.Stages[0].SoakStage = 24 * time.Hour
	mine := api.Command{Who: "ann", ID: "ticket-7"}
	first := w.command(time.Hour, api.UpdatePause, mine)
	resume := w.command(2*time.Hour, api.UpdateResume, mine) // another command
	again := w.command(3*time.Hour, api.UpdatePause, mine)
	w.leaves(4*time.Hour, api.StandingOrder{ID: "1", Name: api.UpdatePause, Command: mine})
	end := w.run(t)
	if !first.accepted || !resume.accepted || again.answer.Message != "agent-1 has taken this order already" {
		t.Errorf("%+v, %+v, %+v", first, resume, again)
	}
	if end.Phase != api.PhaseSucceeded || len(w.audit) != 2 {
		t.Errorf("the run ended %s, after %+v", end.Phase, w.audit)
	}
}
