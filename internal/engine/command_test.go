package engine_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/types/known/timestamppb"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

func TestCommandIsAnUpdate(t *testing.T) {
	b := newBench(t)
	run := b.started()
	b.temporal.onUpdate = func(client.UpdateWorkflowOptions) (api.Answer, error) {
		return api.Answer{Message: "it pauses"}, nil
	}
	for range 2 {
		answer, err := b.Command(t.Context(), run.Name, api.UpdatePause, api.Command{Who: "ann"})
		if err != nil || answer.Message != "it pauses" {
			t.Fatal(answer, err)
		}
	}
	first, second := b.temporal.updates[0], b.temporal.updates[1]
	if first.WorkflowID != run.Name || first.UpdateName != "pause" || first.WaitForStage != client.WorkflowUpdateStageCompleted {
		t.Errorf("sent %+v", first)
	}
	if first.UpdateID == "" || first.UpdateID == second.UpdateID {
		t.Errorf("update IDs are %q and %q: the second pause would be taken for the first", first.UpdateID, second.UpdateID)
	}
}

func TestCommandRefused(t *testing.T) {
	b := newBench(t)
	run := b.started()
	b.temporal.onUpdate = func(client.UpdateWorkflowOptions) (api.Answer, error) {
		return api.Answer{}, temporal.NewNonRetryableApplicationError("cannot pause agent-1: it is rolling back", string(fault.Refused), nil)
	}
	_, err := b.Command(t.Context(), run.Name, api.UpdatePause, api.Command{Who: "ann", Reason: "hm"})
	wants(t, err, fault.Refused, "cannot pause agent-1: it is rolling back")
	entries, err := b.Audit(t.Context(), run.Name, 1)
	if err != nil || len(entries) != 1 || entries[0].Command != "pause" || entries[0].Outcome != "refused: cannot pause agent-1: it is rolling back" {
		t.Errorf("audit has %+v, %v", entries, err)
	}
}

func TestARefusedDryRunIsNotInTheAudit(t *testing.T) {
	b := newBench(t)
	run := b.started()
	b.temporal.onUpdate = func(client.UpdateWorkflowOptions) (api.Answer, error) {
		return api.Answer{}, temporal.NewNonRetryableApplicationError("cannot roll back agent-1: no way back", string(fault.Refused), nil)
	}
	_, err := b.Command(t.Context(), run.Name, api.UpdateRollback, api.Command{Who: "ann", DryRun: true})
	wants(t, err, fault.Refused, "no way back")
	entries, err := b.Audit(t.Context(), run.Name, 10)
	if err != nil || len(entries) != 1 || entries[0].Command != "run" {
		t.Errorf("audit has %+v, %v; want the start alone", entries, err)
	}
}

func TestCommandOfARunThatEndsBeforeItAnswers(t *testing.T) {
	b := newBench(t)
	run := b.started()
	b.temporal.onUpdate = func(client.UpdateWorkflowOptions) (api.Answer, error) {
		b.end(run, moved("c1"))
		return api.Answer{}, temporal.NewNonRetryableApplicationError("Workflow completed before the Update completed.", "AcceptedUpdateCompletedWorkflow", nil)
	}
	answer, err := b.Command(t.Context(), run.Name, api.UpdateAbort, api.Command{Who: "ann", Reason: "hm"})
	if err != nil || answer.Message != run.Name+" took the command abort, and has ended as Succeeded" {
		t.Errorf("the answer is %q, %v", answer.Message, err)
	}
	entries, err := b.Audit(t.Context(), run.Name, 1)
	if err != nil || len(entries) != 1 || entries[0].Command != "abort" || entries[0].Who != "ann (unverified)" || entries[0].Outcome != answer.Message {
		t.Errorf("audit has %+v, %v", entries, err)
	}
}

// TestARollbackOfARunThatHasJustEnded: a run takes no command while its end is written down, and a rollback is not refused for that.
func TestARollbackOfARunThatHasJustEnded(t *testing.T) {
	b := newBench(t)
	run := b.started()
	closes := temporal.NewNonRetryableApplicationError("cannot rollback agent-1: it has just ended", string(fault.Conflict), nil)
	b.temporal.onUpdate = func(client.UpdateWorkflowOptions) (api.Answer, error) {
		b.end(run, moved("c1"))
		return api.Answer{}, closes
	}
	answer, err := b.Command(t.Context(), run.Name, api.UpdateRollback, api.Command{Who: "ann", Reason: "hm"})
	if err != nil || !strings.HasPrefix(answer.Message, "run agent-2 takes back run of agent-1") {
		t.Errorf("the answer is %q, %v", answer.Message, err)
	}
}

func TestARunThatNeverEndsClosing(t *testing.T) {
	b := newBench(t)
	run := b.started()
	b.temporal.onUpdate = func(client.UpdateWorkflowOptions) (api.Answer, error) {
		return api.Answer{}, temporal.NewNonRetryableApplicationError("cannot abort agent-1: it has just ended", string(fault.Conflict), nil)
	}
	_, err := b.Command(t.Context(), run.Name, api.UpdateAbort, api.Command{Who: "ann", Reason: "hm"})
	wants(t, err, fault.Conflict, "its end is being written down; try again")
}

func TestAnOrderThatNobodyObeysStands(t *testing.T) {
	silent := func(client.UpdateWorkflowOptions) (api.Answer, error) {
		return api.Answer{}, client.NewWorkflowUpdateServiceTimeoutOrCanceledError(context.DeadlineExceeded)
	}
	for name, c := range map[string]struct {
		workers int
		updates int
		says    string
		reason  string
	}{
		"no worker":           {0, 0, "no worker answers on task queue", "an update would live in the server's memory only"},
		"a worker that hangs": {1, 1, "did not answer within", "what was tried as an update stands under the same ID"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			run := b.started()
			b.temporal.open = map[string]bool{run.Name: true}
			b.temporal.workers, b.temporal.onUpdate = c.workers, silent
			answer, err := b.Command(t.Context(), run.Name, api.UpdateAbort, api.Command{Who: "ann", Reason: "hm"})
			if err != nil || !answer.Stands || !strings.Contains(answer.Message, "acts as soon as a worker takes the run up") || !strings.Contains(answer.Message, c.says) {
				t.Fatalf("the answer is %+v, %v: %s", answer, err, c.reason)
			}
			if len(b.temporal.updates) != c.updates || len(b.temporal.signals) != 1 {
				t.Fatalf("%d updates and %d signals: %s", len(b.temporal.updates), len(b.temporal.signals), c.reason)
			}
			o := b.temporal.signals[0]
			if o.Name != api.UpdateAbort || o.Command.Who != "ann (unverified)" || o.Command.Reason != "hm" || !strings.HasPrefix(o.ID, "abort-") {
				t.Errorf("what stands is %+v", o)
			}
			if c.updates > 0 && b.temporal.updates[0].UpdateID != o.ID {
				t.Errorf("tried as %s, stands as %s: it could act twice", b.temporal.updates[0].UpdateID, o.ID)
			}
			entries, err := b.Audit(t.Context(), run.Name, 1)
			if err != nil || len(entries) != 1 || entries[0].Command != "abort" || entries[0].Outcome != answer.Message {
				t.Errorf("audit has %+v, %v", entries, err)
			}
		})
	}
}

func TestADryRunIsNotLeftStanding(t *testing.T) {
	b := newBench(t)
	run := b.started()
	b.temporal.open, b.temporal.workers = map[string]bool{run.Name: true}, 0
	_, err := b.Command(t.Context(), run.Name, api.UpdateRollback, api.Command{Who: "ann", DryRun: true})
	wants(t, err, fault.Unreachable, "cannot ask "+run.Name+" what a rollback would do", "no worker answers")
	if len(b.temporal.signals) > 0 {
		t.Error("it was left for a worker all the same")
	}
}

func TestARunWithoutAWorkerSaysWhatItWasTold(t *testing.T) {
	b := newBench(t)
	run := b.started()
	b.temporal.open, b.temporal.workers = map[string]bool{run.Name: true}, 0
	told := func(signal, name, who string) *historypb.HistoryEvent {
		input, err := b.temporal.keys.Converter(nil).ToPayloads(api.StandingOrder{Name: name, Command: api.Command{Who: who, Reason: "hm"}})
		if err != nil {
			t.Fatal(err)
		}
		return &historypb.HistoryEvent{
			EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED, EventTime: timestamppb.New(noon),
			Attributes: &historypb.HistoryEvent_WorkflowExecutionSignaledEventAttributes{
				WorkflowExecutionSignaledEventAttributes: &historypb.WorkflowExecutionSignaledEventAttributes{SignalName: signal, Input: input},
			},
		}
	}
	b.temporal.history = []*historypb.HistoryEvent{
		told(api.SignalCommand, "resume", "before"),
		{EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED},
		told("report", "x", "a unit"),
		told(api.SignalCommand, "pause", "ann"),
		{EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED},
		told(api.SignalCommand, "abort", "bob"),
	}
	want := []engine.Standing{{Command: "pause", Who: "ann", Reason: "hm", Since: noon}, {Command: "abort", Who: "bob", Reason: "hm", Since: noon}}
	view, err := b.Status(t.Context(), run.Name)
	if err != nil || !slices.Equal(view.Orders, want) {
		t.Errorf("orders that stand are %v, %v; want those after the last that was obeyed, %v", view.Orders, err, want)
	}
	why, err := b.Why(t.Context(), run.Name, "")
	if err != nil || !slices.Equal(why.Orders, want) {
		t.Errorf("why says %v, %v", why.Orders, err)
	}
}

// moved is a unit that went all the way.
func moved(cluster string) api.UnitStatus {
	return api.UnitStatus{Path: "prod/" + cluster, Cluster: cluster, Group: "prod", Stage: "all", Phase: api.PhaseSucceeded, Moved: true}
}

func TestFailureMode_R04_AbortWhenIdle(t *testing.T) {
	b := newBench(t)
	run := b.started()
	b.end(run, moved("c1"), moved("c2"))
	for _, name := range []string{api.UpdateAbort, api.UpdatePause, api.UpdateResume} {
		answer, err := b.Command(t.Context(), run.Name, name, api.Command{Who: "ann"})
		if err != nil || !strings.Contains(answer.Message, "has ended as Succeeded") || !strings.Contains(answer.Message, "nothing to "+name) {
			t.Errorf("%s of an ended run: %q, %v; want that there is nothing to do", name, answer.Message, err)
		}
	}
	if len(b.temporal.updates) > 0 {
		t.Error("an ended run was sent something")
	}
	_, err := b.Command(t.Context(), run.Name, api.UpdateApprove, api.Command{Who: "ann", Plan: run.Plan})
	wants(t, err, fault.Refused, "has ended as Succeeded")
}

func TestRollbackOfAnEndedRun(t *testing.T) {
	b := newBench(t)
	b.deploy("c1", "agent-0", "0.9.0")
	b.deploy("c2", "agent-0", "0.9.0")
	run := b.started()
	b.end(run, moved("c1"), moved("c2"))
	starts := len(b.temporal.started)

	dry, err := b.Command(t.Context(), run.Name, api.UpdateRollback, api.Command{Who: "ann", DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"prod/c2: way back: 0.9.0", "prod/c1: way back: 0.9.0"}; !slices.Equal(dry.Units, want) {
		t.Errorf("it would go %v, want %v", dry.Units, want)
	}
	if len(b.temporal.started) != starts {
		t.Fatal("a dry run has started something")
	}

	one, err := b.Command(t.Context(), run.Name, api.UpdateRollback, api.Command{DryRun: true, Scope: api.Scope{Clusters: []string{"c1"}}})
	if err != nil || !strings.HasSuffix(one.Message, ", 1 unit") {
		t.Errorf("of one it says %q, %v", one.Message, err)
	}
	if b := one.Back; b == nil || b.Ends || b.Run != run.Name || len(b.Units) != 1 || b.Units[0] != (api.UnitBack{Path: "prod/c1", Cluster: "c1", WayBack: "0.9.0"}) {
		t.Errorf("as data it says %+v", b)
	}

	answer, err := b.Command(t.Context(), run.Name, api.UpdateRollback, api.Command{Who: "ann", Reason: "slow"})
	if err != nil || !strings.Contains(answer.Message, "run agent-2 takes back run of agent-1, 2 units") {
		t.Fatal(answer.Message, err)
	}
	in := b.temporal.inputs[len(b.temporal.inputs)-1].(api.RolloutInput)
	if in.Run != "agent-2" || in.Plan != run.Plan || in.Back == nil || in.Back.Run != run.Name || !slices.Equal(in.Back.Units, []string{"c2", "c1"}) {
		t.Errorf("started on %+v, back %+v", in, in.Back)
	}

	back, err := b.ledger.Run(t.Context(), "agent-2")
	if err != nil {
		t.Fatal(err)
	}
	b.deploy("c1", back.Name, "0.9.0")
	b.deploy("c2", back.Name, "0.9.0")
	again, err := b.Command(t.Context(), run.Name, api.UpdateRollback, api.Command{Who: "ann"})
	if err != nil || !strings.Contains(again.Message, "nothing of run is left to take back") {
		t.Errorf("the second time: %q, %v; want that there is nothing left", again.Message, err)
	}
	b.end(back)
	_, err = b.Command(t.Context(), back.Name, api.UpdateRollback, api.Command{Who: "ann"})
	wants(t, err, fault.Refused, "itself a rollback, of agent-1")
}

// TestARollbackThatIsAskedForTwiceStartsOnce: whoever asks may have died before it heard the answer.
func TestARollbackThatIsAskedForTwiceStartsOnce(t *testing.T) {
	b := newBench(t)
	b.deploy("c1", "agent-0", "0.9.0")
	b.deploy("c2", "agent-0", "0.9.0")
	run := b.started()
	b.end(run, moved("c1"), moved("c2"))
	one := api.Command{Who: "ann", Scope: api.Scope{Clusters: []string{"c1"}}}
	first, err := b.Command(t.Context(), run.Name, api.UpdateRollback, one)
	if err != nil {
		t.Fatal(err)
	}
	input, err := b.temporal.keys.Converter(nil).ToPayloads(b.temporal.inputs[len(b.temporal.inputs)-1])
	if err != nil {
		t.Fatal(err)
	}
	b.temporal.open = map[string]bool{"agent-2": true}
	b.temporal.history = []*historypb.HistoryEvent{{Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
		WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{Input: input},
	}}}
	starts := len(b.temporal.started)
	again, err := b.Command(t.Context(), run.Name, api.UpdateRollback, one)
	if err != nil || again.Message != first.Message {
		t.Errorf("the second time it says %q, %v; want %q", again.Message, err, first.Message)
	}
	_, err = b.Command(t.Context(), run.Name, api.UpdateRollback, api.Command{Who: "ann"})
	wants(t, err, fault.Refused, "run agent-2 (agent 1.0.0, by ann (unverified)) is open")
	if len(b.temporal.started) != starts {
		t.Error("another run was started")
	}
}

func TestRollbackOfAPart(t *testing.T) {
	for name, c := range map[string]struct {
		scope api.Scope
		units []string
		code  fault.Code
	}{
		"one cluster":      {scope: api.Scope{Clusters: []string{"c1"}}, units: []string{"c1"}},
		"a group":          {scope: api.Scope{Group: "prod"}, units: []string{"c2", "c1"}},
		"a stage":          {scope: api.Scope{Stage: "all"}, units: []string{"c2", "c1"}},
		"an unknown stage": {scope: api.Scope{Stage: "most"}, code: fault.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.deploy("c1", "agent-0", "0.9.0")
			b.deploy("c2", "agent-0", "0.9.0")
			run := b.started()
			b.end(run, moved("c1"), moved("c2"))
			_, err := b.Command(t.Context(), run.Name, api.UpdateRollback, api.Command{Who: "ann", Scope: c.scope})
			wants(t, err, c.code)
			if err != nil {
				return
			}
			in := b.temporal.inputs[len(b.temporal.inputs)-1].(api.RolloutInput)
			if !slices.Equal(in.Back.Units, c.units) {
				t.Errorf("takes back %v, want %v", in.Back.Units, c.units)
			}
		})
	}
}

func TestAFirstInstallationIsTakenBack(t *testing.T) {
	b := newBench(t)
	run := b.started()
	b.end(run, moved("c1"), moved("c2"))
	dry, err := b.Command(t.Context(), run.Name, api.UpdateRollback, api.Command{Who: "ann", DryRun: true})
	if want := []string{"prod/c2: way back: as found", "prod/c1: way back: as found"}; err != nil || !slices.Equal(dry.Units, want) {
		t.Errorf("it would go %v, %v; want %v", dry.Units, err, want)
	}
	for _, cluster := range []string{"c1", "c2"} {
		image := ledger.PreImage{Run: run.Name, Cluster: cluster, Subject: api.Component("agent"), Object: "/ConfigMap/a/agent", At: noon}
		if err := b.ledger.SavePreImage(t.Context(), image); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.ledger.RemoveDeployment(t.Context(), "c2", api.Component("agent"), "agent-9"); err != nil {
		t.Fatal(err)
	}
	if err := b.ledger.EndPreImages(t.Context(), run.Name, "c2", api.Component("agent"), "agent-9"); err != nil {
		t.Fatal(err)
	}
	dry, err = b.Command(t.Context(), run.Name, api.UpdateRollback, api.Command{Who: "ann", DryRun: true})
	if want := []string{"prod/c1: way back: as found"}; err != nil || !slices.Equal(dry.Units, want) {
		t.Errorf("once c2 has what it had, it would go %v, %v; want %v", dry.Units, err, want)
	}
	starts := len(b.temporal.started)
	if _, err := b.Command(t.Context(), run.Name, api.UpdateRollback, api.Command{Who: "ann"}); err != nil {
		t.Fatal(err)
	}
	if len(b.temporal.started) != starts+1 {
		t.Error("no run takes it back")
	}
}

func TestRollbackAfterALaterRun(t *testing.T) {
	b := newBench(t)
	b.deploy("c1", "agent-0", "0.9.0")
	b.deploy("c2", "agent-0", "0.9.0")
	run := b.started()
	b.end(run, moved("c1"), moved("c2"))
	b.deploy("c2", "agent-8", "3.0.0")
	_, err := b.Command(t.Context(), run.Name, api.UpdateRollback, api.Command{Who: "ann"})
	wants(t, err, fault.Refused, "c2 (3.0.0 by agent-8)", "--cluster")
	_, err = b.Command(t.Context(), run.Name, api.UpdateRollback, api.Command{Who: "ann", Scope: api.Scope{Clusters: []string{"c1"}}})
	if err != nil {
		t.Errorf("the cluster that is still at this run's version: %v", err)
	}
}

func TestRollbackOfARunThatTemporalLost(t *testing.T) {
	b := newBench(t)
	b.deploy("c1", "agent-0", "0.9.0")
	b.deploy("c2", "agent-0", "0.9.0")
	run := b.started()
	b.temporal.open = nil
	err := b.ledger.SaveWrite(t.Context(), ledger.Write{Run: run.Name, Cluster: "c1", Subject: api.Component("agent"), Object: "/ConfigMap/a/agent", Step: "create", At: noon})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := b.Command(t.Context(), run.Name, api.UpdateRollback, api.Command{Who: "ann", DryRun: true})
	if err != nil || !slices.Equal(answer.Units, []string{"prod/c1: way back: 0.9.0"}) {
		t.Errorf("it would go %v, %v; want what it has written to", answer.Units, err)
	}
}
