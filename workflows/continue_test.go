package workflows_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// begun plays a run until it continues as new, and returns the input with which it does.
func (w *world) begun(t *testing.T) api.RolloutInput {
	t.Helper()
	w.meet()
	w.env.SetStartWorkflowOptions(clientOptions("agent-1"))
	w.env.ExecuteWorkflow(api.RolloutName, api.RolloutInput{Run: "agent-1", Plan: "0123456789abcdef", By: "ann", Reason: "a fix"})
	var next *workflow.ContinueAsNewError
	if err := w.env.GetWorkflowError(); !errors.As(err, &next) || next.WorkflowType.Name != api.RolloutName {
		t.Fatalf("the run did not continue as new: %v", err)
	}
	var in api.RolloutInput
	if err := converter.GetDefaultDataConverter().FromPayloads(next.Input, &in); err != nil {
		t.Fatal(err)
	}
	return in
}

// twoStages is a world of a canary that bears a failure and has one, and a production that two people have to approve.
func twoStages(t *testing.T) *world {
	w := newWorld(t, "a", "b", "c", "d")
	stage := w.plan.Stages[0]
	canary, production := stage, stage
	canary.Name, canary.Approvals, canary.MaxFailures = "canary", 1, 1
	production.Name, production.Approvals = "production", 2
	first, second := stage.Groups[0], stage.Groups[0]
	first.Units, second.Units = stage.Groups[0].Units[:2], stage.Groups[0].Units[2:]
	canary.Groups, production.Groups = []plan.Group{first}, []plan.Group{second}
	production.Checks = []pipelines.ResolvedCheck{{
		Name: "all", At: []pipelines.Point{pipelines.AfterStage}, Enforcement: pipelines.Enforcing,
		Gates: []pipelines.ResolvedGate{{Name: "all", CEL: "stage.succeeded == stage.units"}},
	}}
	w.plan.Stages = []step.RunStage{canary, production}
	w.facts = func(cluster string, f *rule.Facts) {
		if cluster == "a" {
			f.Workload.Restarts = 1
		}
	}
	return w
}

func TestFailureMode_R26_ARunContinuesAsNewBetweenStages(t *testing.T) {
	for _, c := range []struct {
		reason string
		set    func(w *world)
		paused bool
		least  time.Duration // how long it takes after that
	}{
		{"with nothing in flight", func(*world) {}, false, 2 * time.Hour},
		{"with a pause that came while it waited for an answer to be written", func(w *world) {
			// The resume is heard while b moves, and written down for ten minutes, at the end of which the stage has ended.
			w.env.OnActivity(step.AddAudit.Name(), mock.Anything, mock.MatchedBy(func(r step.AuditRequest) bool { return r.Command == api.UpdateResume })).
				After(10*time.Minute).Return("", nil)
			w.command(time.Hour+15*time.Second, api.UpdateResume, api.Command{})
			w.command(time.Hour+5*time.Minute, api.UpdatePause, api.Command{Reason: "wait for the weather"})
		}, true, 3 * time.Hour},
	} {
		t.Run(c.reason, func(t *testing.T) {
			before := twoStages(t)
			before.env.SetCurrentHistoryLength(2001)
			before.command(time.Hour, api.UpdateApprove, api.Command{Who: "one", Plan: "0123456789"})
			c.set(before)
			in := before.begun(t)

			after := twoStages(t)
			after.env.RegisterDelayedCallback(func() {
				now := after.now(t)
				if now.Percent != 50 || now.Failed != 1 || now.By != "ann" || now.Reason != "a fix" {
					t.Errorf("after it continued it is %d%% through with %d failed, by %s: %s", now.Percent, now.Failed, now.By, now.Reason)
				}
				if w := now.Stages[1].Waiting; w == nil || w.Unmet[0] != "0 of 2 approvals of plan 0123456789ab" {
					t.Errorf("production waits for %+v", w)
				}
			}, time.Minute)
			after.command(time.Hour, api.UpdateApprove, api.Command{Who: "one", Plan: "0123456789"})
			after.command(2*time.Hour, api.UpdateApprove, api.Command{Who: "two", Plan: "0123456789"})
			after.env.RegisterDelayedCallback(func() {
				if now := after.now(t); c.paused != (now.Phase == api.PhasePaused) || c.paused && unitPhases(now)["c"] != api.PhasePending {
					t.Errorf("it was paused: %v; approved, it is %s, and its first unit %s", c.paused, now.Phase, unitPhases(now)["c"])
				}
			}, 2*time.Hour+time.Second)
			after.command(3*time.Hour, api.UpdateResume, api.Command{})
			end := after.play(t, in)
			want := map[string]api.Phase{"a": api.PhaseFailed, "b": api.PhaseSucceeded, "c": api.PhaseSucceeded, "d": api.PhaseSucceeded}
			if diff := cmp.Diff(want, unitPhases(end)); diff != "" {
				t.Errorf("units (-want +got):\n%s", diff)
			}
			if want := []string{"prod/a", "prod/b", "prod/c", "prod/d"}; !slices.Equal(end.Moves, want) {
				t.Errorf("units moved in the order %v, want %v", end.Moves, want)
			}
			if took := end.Ended.Sub(in.State.Status.Started); end.Started != in.State.Status.Started || took < c.least {
				t.Errorf("it began at %s, and took %s after it had continued", end.Started, took)
			}
			if v := end.Stages[1].Checks; len(v) != 1 || v[0].Verdict != api.Passed || end.Phase != api.PhaseFailed {
				t.Errorf("the run ended %s, production was judged %+v", end.Phase, v)
			}
			after.expect(t, []string{"Acquire c", "Acquire d"}, []string{"Acquire a", "Acquire b"})
			if got := in.State.Status.Stages[0].Approvals; len(got) != 1 {
				t.Errorf("the approvals of the stage before are %v", got)
			}
		})
	}
}

func TestARunDoesNotContinueAsNewWhileSomethingIsOpen(t *testing.T) {
	w := twoStages(t)
	w.plan.Stages[0].MaxUnreachable = 1
	w.env.SetCurrentHistoryLength(2001)
	w.once(step.Acquire.Name(), "b", away)
	w.returns("b", 5*time.Hour)
	w.command(time.Hour, api.UpdateApprove, api.Command{Who: "one", Plan: "0123456789"})
	w.command(2*time.Hour, api.UpdateApprove, api.Command{Who: "one", Plan: "0123456789"})
	w.command(3*time.Hour, api.UpdateApprove, api.Command{Who: "two", Plan: "0123456789"})
	if end := w.run(t); unitPhases(end)["d"] != api.PhaseSucceeded {
		t.Errorf("the run ended %s: %v", end.Phase, unitPhases(end))
	}
}
