package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

func TestARunShowsWhatItWaitsFor(t *testing.T) {
	crash := func(cluster string, f *rule.Facts) {
		if cluster == "a" {
			f.Workload.Restarts = 1
		}
	}
	for _, c := range []struct {
		reason string
		set    func(w *world)
		run    api.Phase
		a      api.Phase
		waits  string // what the search attribute says
	}{
		{"a failed check holds it", func(w *world) { w.facts = crash }, api.PhaseHeld, api.PhaseHeld, "decision prod/a: ready failed at prod/a/all/1: "},
		{"a check that cannot tell holds it", func(w *world) { w.rules.Checks[0].Gates[0].CEL = "unit.labels['missing'] == 'x'" }, api.PhaseHeld, api.PhaseHeld, "decision ready: "},
		{"a person has paused it", func(w *world) {
			w.command(time.Second, api.UpdatePause, api.Command{Who: "ann", Reason: "look"})
		}, api.PhasePaused, api.PhasePaused, "person resume: look"},
		{"a rule refuses what is there", func(w *world) {
			w.applies = drifted
		}, api.PhaseRefused, api.PhaseRefused, "decision drift: Error: somebody changed it"},
		{"somebody else changed what it wrote", func(w *world) {
			w.fails = func(name, _ string) error {
				if name == step.Advance.Name() {
					return fault.New(fault.Conflict, "its template is another one")
				}
				return nil
			}
		}, api.PhaseRefused, api.PhaseRefused, "decision move batch prod/a/all/1: Error: its template is another one"},
		{"its cluster is out of reach", func(w *world) { w.once(step.Advance.Name(), "a", away); w.returns("a", 10*time.Hour) }, api.PhaseUnreachable, api.PhaseUnreachable, "budget production: 1 unit out of reach"},
		{"it does not get on", func(w *world) { w.stalls = func(string, int) bool { return true } }, api.PhaseStalled, api.PhaseStalled, "decision progress: Inconclusive: nothing got on"},
		{"it moves", func(w *world) { w.advances = 10 * time.Hour }, api.PhaseMoving, api.PhaseMoving, "pods prod/a/all/1"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t, "a", "b")
			w.plan.OnFailure = pipelines.Pause
			c.set(w)
			var phase, waits string
			w.env.OnUpsertTypedSearchAttributes(mock.Anything).Return(nil).Run(func(args mock.Arguments) {
				said := args.Get(0).(temporal.SearchAttributes)
				if _, ok := said.GetInt64(temporal.NewSearchAttributeKeyInt64("SluicePercent")); ok { // of the run
					phase, _ = said.GetKeyword(temporal.NewSearchAttributeKeyKeyword("SluicePhase"))
					waits, _ = said.GetKeyword(temporal.NewSearchAttributeKeyKeyword("SluiceWaitingFor"))
				}
			})
			w.env.RegisterDelayedCallback(func() {
				now := w.now(t)
				if now.Phase != c.run || now.Stages[0].Units[0].Phase != c.a {
					t.Errorf("the run is %s and its unit %s, want %s and %s", now.Phase, now.Stages[0].Units[0].Phase, c.run, c.a)
				}
				if phase != string(c.run) || !strings.HasPrefix(waits, c.waits) {
					t.Errorf("it is listed as %s, waiting for %q; want %s and %q", phase, waits, c.run, c.waits)
				}
			}, time.Hour)
			w.command(2*time.Hour, api.UpdateAbort, api.Command{})
			w.run(t)
		})
	}
}

func drifted(found *step.DiffResult) {
	found.Cluster.Refusals = []api.Refusal{{Rule: "drift", Message: "somebody changed it"}}
}

func TestARunOfWhichOneUnitMovesShowsThat(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.plan.Stages[0].Groups[0].MaxConcurrency = 2
	w.advances = 3 * time.Hour
	w.applies = func(found *step.DiffResult) {
		if found.Cluster.Cluster == "a" {
			drifted(found)
		}
	}
	w.env.RegisterDelayedCallback(func() {
		now := w.now(t)
		if now.Phase != api.PhaseMoving || now.WaitsFor().Name != "drift" {
			t.Errorf("b moves, and the run is %s and waits for %+v", now.Phase, now.WaitsFor())
		}
	}, time.Hour)
	w.command(2*time.Hour, api.UpdateAbort, api.Command{})
	w.run(t)
}

func TestAUnitThatAnotherRunHasIsLocked(t *testing.T) {
	w := newWorld(t, "a")
	w.advances = time.Hour
	w.env.RegisterWorkflow(twoRuns)
	w.env.OnActivity(step.Closed.Name(), mock.Anything, mock.Anything).After(4*time.Hour).Return("", nil)
	now := func() api.RunStatus {
		var out api.RunStatus
		v, err := w.env.QueryWorkflowByID("agent-2", api.QueryStatus)
		if err == nil {
			err = v.Get(&out)
		}
		if err != nil {
			t.Error(err)
		}
		return out
	}
	w.env.RegisterDelayedCallback(func() {
		if r := now(); r.Phase != api.PhaseLocked || r.Stages[0].Units[0].Phase != api.PhaseLocked {
			t.Errorf("the run is %s and its unit %+v %+v", r.Phase, r.Stages[0].Units[0], r.Stages[0].Units[0].Failure)
		}
	}, time.Hour)
	w.env.RegisterDelayedCallback(func() {
		if r := now(); r.Phase != api.PhaseMoving || r.Stages[0].Units[0].Waiting != nil && r.Stages[0].Units[0].Waiting.Kind == "lock" {
			t.Errorf("the unit is free and moves, the run is %s and its unit %+v", r.Phase, r.Stages[0].Units[0])
		}
	}, 4*time.Hour+time.Minute+time.Second)
	w.meet()
	w.env.ExecuteWorkflow(twoRuns)
	if err := w.env.GetWorkflowError(); err != nil {
		t.Fatal(err)
	}
}

// twoRuns starts two runs of one component, the second a moment later.
func twoRuns(ctx workflow.Context) error {
	start := func(run string) workflow.ChildWorkflowFuture {
		ctx := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: run})
		return workflow.ExecuteChildWorkflow(ctx, api.RolloutName, api.RolloutInput{Run: run, Plan: "0123456789abcdef", By: "ops"})
	}
	first := start("agent-1")
	if err := workflow.Sleep(ctx, time.Minute); err != nil {
		return err
	}
	second := start("agent-2")
	if err := first.Get(ctx, nil); err != nil {
		return err
	}
	return second.Get(ctx, nil)
}

func TestAnEndedRunHasNothingThatGoesOn(t *testing.T) {
	w := newWorld(t, "a", "b", "c", "d")
	w.advances = time.Hour
	w.command(3*time.Hour+time.Minute, api.UpdateAbort, api.Command{}) // b moves its second batch
	end := w.run(t)
	if end.Percent != 50 {
		t.Errorf("two of four units were touched, and %d%% have ended", end.Percent)
	}
	for _, u := range w.records {
		for _, b := range u.Batches {
			if !b.Phase.Final() || b.Ended.IsZero() {
				t.Errorf("batch %s of an ended unit is %s, ended %s", b.Path, b.Phase, b.Ended)
			}
		}
	}
	if last := w.records[1].Batches; last[len(last)-1].Phase != api.PhaseAborted {
		t.Errorf("the batch that was under way ended %s", last[len(last)-1].Phase)
	}
}

func TestARollbackThatNobodyAskedForIsInTheAudit(t *testing.T) {
	w := newWorld(t, "a")
	w.plan.OnFailure = pipelines.Rollback
	w.facts = func(_ string, f *rule.Facts) { f.Workload.Restarts = 1 }
	if end := w.run(t); end.Phase != api.PhaseRolledBack {
		t.Errorf("the run ended %s", end.Phase)
	}
	if len(w.audit) != 1 || w.audit[0].Who != api.BySluice || w.audit[0].Command != "rollback" || !strings.HasPrefix(w.audit[0].Reason, "ready failed at prod/a/all/1") {
		t.Errorf("the audit has %+v", w.audit)
	}
}

// TestARollbackThatBeginsInASoakIsInTheAudit has the soak, which ends by it, end before the audit takes the entry.
func TestARollbackThatBeginsInASoakIsInTheAudit(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.plan.OnFailure = pipelines.Rollback
	w.plan.Stages[0].SoakStage, w.plan.Stages[0].Looks = 24*time.Hour, true
	w.sees("a", time.Hour, bad(api.Failed), nil)
	away := true
	w.fails = func(name, _ string) error {
		if name == step.AddAudit.Name() && away {
			away = false
			return fault.New(fault.Internal, "the ledger is away")
		}
		return nil
	}
	if end := w.run(t); end.Phase != api.PhaseRolledBack || away {
		t.Errorf("the run ended %s, the ledger was away: %v", end.Phase, !away)
	}
	if len(w.audit) != 1 || w.audit[0].Who != api.BySluice || w.audit[0].Command != "rollback" {
		t.Errorf("the audit has %+v", w.audit)
	}
}
