package workflows_test

import (
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

func crashes(in string) func(string, *rule.Facts) {
	return func(cluster string, f *rule.Facts) {
		if cluster == in {
			f.Workload.Restarts = 3
		}
	}
}

// What stopped a unit is what people look for after it was taken back.
func TestAUnitThatWasTakenBackKnowsWhy(t *testing.T) {
	t.Run("where it stood", func(t *testing.T) {
		w := newWorld(t, "a", "b")
		w.facts, w.plan.OnFailure = crashes("a"), pipelines.Rollback
		w.run(t)
		if last := w.records[len(w.records)-1].UnitStatus; last.Failure == nil || len(last.Failure.Seen) == 0 {
			t.Errorf("its record has lost what the check saw: %+v", last.Failure)
		}
	})
	t.Run("after it had ended", func(t *testing.T) {
		w := newWorld(t, "a", "b")
		w.facts, w.plan.OnFailure, w.advances = crashes("a"), pipelines.Continue, time.Minute
		w.plan.Stages[0].MaxFailures = 1
		w.command(90*time.Second, api.UpdateRollback, api.Command{})
		end := w.run(t)
		a := end.Stages[0].Units[0]
		if a.Phase != api.PhaseRolledBack || a.Before != "sha256:u" {
			t.Errorf("it is %s, and its record of before is %q", a.Phase, a.Before)
		}
		if a.Failure == nil || a.FailedAt != "prod/a/all/1" {
			t.Errorf("it does not say what it went back for: %+v at %q", a.Failure, a.FailedAt)
		}
	})
	t.Run("when the way back fails too", func(t *testing.T) {
		w := newWorld(t, "a", "b")
		w.facts, w.plan.OnFailure = crashes("a"), pipelines.Rollback
		w.fails = func(name, _ string) error {
			if name == step.Revert.Name() {
				return fault.New(fault.Refused, "somebody else owns it")
			}
			return nil
		}
		w.command(time.Hour, api.UpdateAbort, api.Command{Abandon: true})
		end := w.run(t)
		a, record := end.Stages[0].Units[0], w.records[len(w.records)-1].UnitStatus
		if a.Failure == nil || a.Failure.Name != "rollback" {
			t.Fatalf("the way back did not fail: %+v", a.Failure)
		}
		if a.Cause == nil || a.Cause.Verdict != api.Failed || a.CauseAt != "prod/a/all/1" {
			t.Errorf("it does not say what it went back for: %+v at %q", a.Cause, a.CauseAt)
		}
		if record.Cause == nil || len(record.Cause.Seen) == 0 {
			t.Errorf("its record has lost what the check saw: %+v", record.Cause)
		}
	})
	t.Run("for what was seen in the soak of its stage", func(t *testing.T) {
		w := newWorld(t, "a", "b")
		w.plan.Stages[0].SoakStage, w.plan.Stages[0].Looks = 24*time.Hour, true
		w.plan.OnFailure = pipelines.Rollback
		found := bad(api.Failed)
		found[0].Seen = map[string]any{"workload.restarts": 7}
		w.sees("a", time.Hour, found, nil)
		if a := w.run(t).Stages[0].Units[0]; a.Phase != api.PhaseRolledBack || a.Failure == nil || len(a.Failure.Seen) != 1 {
			t.Errorf("it is %s, and what the check saw is lost: %+v", a.Phase, a.Failure)
		}
	})
}
