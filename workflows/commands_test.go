package workflows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

func TestFailureMode_R05_RollbackActsWhilePaused(t *testing.T) {
	w := newWorld(t, "a", "b")
	pause := w.command(2*time.Second, api.UpdatePause, api.Command{Reason: "look"})
	back := w.command(time.Hour, api.UpdateRollback, api.Command{Reason: "bad"})
	end := w.run(t)
	if !pause.accepted || !back.accepted {
		t.Errorf("pause %+v, rollback %+v", pause, back)
	}
	if end.Phase != api.PhaseRolledBack {
		t.Errorf("the run ended %s", end.Phase)
	}
	w.expect(t, []string{"Disarm a", "Revert a/1", "Release a RolledBack"}, []string{"Prepare b"})
}

func TestAnOrderThatComesBeforeItsUnitHasStartedIsKept(t *testing.T) {
	w := newWorld(t, "a", "b")
	var abort *heard
	// The run says that its stage moves in the very task in which it asks for the first unit.
	w.env.OnUpsertTypedSearchAttributes(mock.Anything).Return(nil).Run(func(args mock.Arguments) {
		if _, moves := args.Get(0).(temporal.SearchAttributes).GetKeyword(temporal.NewSearchAttributeKeyKeyword("SluiceStage")); moves && abort == nil {
			abort = w.command(0, api.UpdateAbort, api.Command{})
		}
	})
	end := w.run(t)
	if abort == nil || !abort.accepted || end.Phase != api.PhaseAborted {
		t.Errorf("abort %+v, the run ended %s", abort, end.Phase)
	}
	w.expect(t, nil, []string{"Advance a/1", "Acquire b"})
}

func TestPauseDisarmsAndResumeGoesOnWhereItWas(t *testing.T) {
	w := newWorld(t, "a")
	w.command(2*time.Second, api.UpdatePause, api.Command{})
	w.command(time.Hour, api.UpdateResume, api.Command{})
	end := w.run(t)
	if end.Phase != api.PhaseSucceeded {
		t.Errorf("the run ended %s", end.Phase)
	}
	if took := end.Ended.Sub(end.Started); took < time.Hour {
		t.Errorf("the run took %s, and was paused for an hour", took)
	}
	w.expect(t, []string{"Prepare a", "Disarm a", "Arm a", "Advance a/1", "Advance a/2", "Finish a"}, nil)
	if len(w.audit) != 2 || w.audit[0].Command != "pause" || w.audit[1].Command != "resume" {
		t.Errorf("audit %+v", w.audit)
	}
}

func TestFailureMode_R04_AbortIsIdempotentAndLeavesPods(t *testing.T) {
	w := newWorld(t, "a", "b")
	first := w.command(2*time.Second, api.UpdateAbort, api.Command{})
	second := w.command(3*time.Second, api.UpdateAbort, api.Command{})
	end := w.run(t)
	if end.Phase != api.PhaseAborted {
		t.Errorf("the run ended %s", end.Phase)
	}
	if !first.accepted || second.rejected != nil {
		t.Errorf("first %+v, second %+v", first, second)
	}
	w.expect(t, []string{"Disarm a", "Release a Aborted"}, []string{"Revert a/1", "Finish a", "Prepare b"})
}

func TestAStageWaitsForItsApprovalsOfThisPlan(t *testing.T) {
	w := newWorld(t, "a")
	w.plan.Stages[0].Approvals = 2
	other := w.command(time.Hour, api.UpdateApprove, api.Command{Plan: "ffffffffffff"})
	first := w.command(2*time.Hour, api.UpdateApprove, api.Command{Who: "one", Plan: "0123456789"})
	again := w.command(3*time.Hour, api.UpdateApprove, api.Command{Who: "one", Plan: "0123456789"})
	shouted := w.command(3*time.Hour+time.Minute, api.UpdateApprove, api.Command{Who: "ONE (unverified)", Plan: "0123456789"})
	var unmet []string
	w.env.RegisterDelayedCallback(func() { unmet = w.now(t).Stages[0].Waiting.Unmet }, 3*time.Hour+2*time.Minute)
	second := w.command(4*time.Hour, api.UpdateApprove, api.Command{Who: "two", Plan: "0123456789"})
	end := w.run(t)
	if other.rejected == nil {
		t.Error("an approval of another plan was accepted")
	}
	if !first.accepted || !again.accepted || !second.accepted {
		t.Errorf("approvals: %+v %+v %+v", first, again, second)
	}
	if first.answer.Message != "stage production has 1 of 2 approvals" || shouted.answer.Message != "ONE (unverified) had approved stage production already" {
		t.Errorf("heard %q, and then %q", first.answer.Message, shouted.answer.Message)
	}
	if want := []string{"1 of 2 approvals of plan 0123456789ab", "approved by one (unverified)"}; !slices.Equal(unmet, want) {
		t.Errorf("while it waited for the second it said %q", unmet)
	}
	if took := end.Ended.Sub(end.Started); took < 4*time.Hour {
		t.Errorf("the stage started after %s: one person's second approval counted", took)
	}
}

func TestWhoeverStartedARunDoesNotApproveIt(t *testing.T) {
	for _, who := range []string{"ops", "OPS", "ops (unverified)"} {
		w := newWorld(t, "a")
		w.plan.Stages[0].Approvals = 1
		own := w.command(time.Hour, api.UpdateApprove, api.Command{Who: who, Plan: "0123456789"})
		w.command(2*time.Hour, api.UpdateApprove, api.Command{Who: "two", Plan: "0123456789"})
		end := w.play(t, api.RolloutInput{Run: "agent-1", Plan: "0123456789abcdef", By: "ops (unverified)"})
		if own.rejected == nil || !strings.Contains(own.rejected.Error(), "ops (unverified) started it") {
			t.Errorf("%s approved a run that ops started: %+v", who, own)
		}
		if took := end.Ended.Sub(end.Started); took < 2*time.Hour || end.Phase != api.PhaseSucceeded {
			t.Errorf("the run ended %s after %s: it waits for another one's approval, and goes on with it", end.Phase, took)
		}
	}
}

func TestANameThatNobodyHasProvenIsMarked(t *testing.T) {
	w := newWorld(t, "a")
	w.command(time.Second, api.UpdatePause, api.Command{Who: "ann"})
	w.command(time.Hour, api.UpdateResume, api.Command{Who: "bob (unverified)"})
	w.run(t)
	var who []string
	for _, e := range w.audit {
		who = append(who, e.Who)
	}
	if want := []string{"ann (unverified)", "bob (unverified)"}; !slices.Equal(who, want) {
		t.Errorf("the audit names %q: a command may come from the Temporal UI, past the engine", who)
	}
}

func TestARollbackOfTheRunGoesInReverseTheFirstAlone(t *testing.T) {
	w := newWorld(t, "a", "b", "c", "d")
	w.facts = func(cluster string, f *rule.Facts) {
		if cluster == "d" {
			f.Workload.Restarts = 1
		}
	}
	w.plan.OnFailure = pipelines.Rollback
	end := w.run(t)
	if end.Phase != api.PhaseRolledBack {
		t.Errorf("the run ended %s", end.Phase)
	}
	for c, p := range unitPhases(end) {
		if p != api.PhaseRolledBack {
			t.Errorf("unit %s ended %s", c, p)
		}
	}
	w.expect(t, []string{"Revert d/1", "Release d RolledBack"}, nil)
	w.expect(t, []string{"Acquire c", "Release c RolledBack", "Acquire b", "Release b RolledBack", "Acquire a", "Release a RolledBack"}, nil)
}

func TestACancelledRunIsAnAbortedOne(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.env.RegisterDelayedCallback(w.env.CancelWorkflow, 2*time.Second)
	end := w.run(t)
	if diff := cmp.Diff(map[string]api.Phase{"a": api.PhaseAborted, "b": api.PhaseSkipped}, unitPhases(end)); diff != "" {
		t.Errorf("units (-want +got):\n%s", diff)
	}
	w.expect(t, []string{"Disarm a", "Release a Aborted"}, []string{"Revert a/1", "Prepare b"})
}

func TestARollbackThatCannotGoOnIsHeldAndCanBeAbandoned(t *testing.T) {
	w := newWorld(t, "a")
	w.plan.OnFailure = pipelines.Rollback
	w.facts = func(_ string, f *rule.Facts) { f.Workload.Restarts = 1 }
	w.fails = func(name, _ string) error {
		if name == step.Revert.Name() {
			return fault.New(fault.Refused, "an admission webhook says no")
		}
		return nil
	}
	refused := w.command(time.Hour, api.UpdateAbort, api.Command{})
	abandoned := w.command(2*time.Hour, api.UpdateAbort, api.Command{Abandon: true})
	end := w.run(t)
	if refused.rejected == nil || !abandoned.accepted {
		t.Errorf("abort during a rollback: %+v, with abandon: %+v", refused, abandoned)
	}
	if end.Phase != api.PhaseFailed {
		t.Errorf("the run ended %s", end.Phase)
	}
}

func TestARollbackKeepsToMaxUnavailable(t *testing.T) {
	w := newWorld(t, "a")
	w.plan.OnFailure = pipelines.Rollback
	w.rules.MaxUnavailable = pipelines.Count(3)
	w.facts = func(_ string, f *rule.Facts) { f.Workload.Restarts = 1 }
	var pace []pipelines.Amount
	w.reverts = func(r step.AdvanceRequest) { pace = append(pace, r.Goal.MaxUnavailable) }
	w.run(t)
	if !slices.Equal(pace, []pipelines.Amount{pipelines.Count(3)}) || w.rules.Back().MaxUnavailable != pipelines.Count(3) {
		t.Errorf("pods go back %v at once, and %v where a cluster has ended", pace, w.rules.Back().MaxUnavailable)
	}
}
