package plan_test

import (
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

// TestEveryVerdictHasARuling goes through every verdict, condition and policy, and holds the table to the rules of safety.
func TestEveryVerdictHasARuling(t *testing.T) {
	verdicts := []api.Verdict{api.Passed, api.Failed, api.Inconclusive, api.Error, api.Skipped, "Unheard"}
	conditions := []plan.Condition{"", plan.GoingBack, plan.OnlyAdvises, plan.WithinLimit, plan.WithinCluster, plan.WithinBudget}
	used := map[plan.PolicyRow]bool{}
	for _, v := range verdicts {
		for _, is := range conditions {
			for _, policy := range []pipelines.OnFailure{pipelines.Pause, pipelines.Rollback, pipelines.Continue} {
				for _, back := range []pipelines.RollbackMode{pipelines.RollbackAuto, pipelines.RollbackManual, pipelines.RollbackNever} {
					j := plan.Judged{Verdict: v, Is: []plan.Condition{is}, OnFailure: policy, Rollback: back}
					row := j.Rule()
					used[row] = true
					free := is == plan.GoingBack || is == plan.OnlyAdvises
					switch {
					case row.Ruling == plan.TakeBack && (v != api.Failed || policy != pipelines.Rollback || back != pipelines.RollbackAuto):
						t.Errorf("%+v is rolled back: only a failure may be, where pipeline and component say so", j)
					case row.Ruling == plan.GoesOn && v != api.Passed && v != api.Skipped && !free:
						t.Errorf("%+v goes on: only what passed may", j)
					case (row.Ruling == plan.Bear || row.Ruling == plan.BearBatch) && v != api.Failed:
						t.Errorf("%+v is borne: a budget is of failures", j)
					case row.Ruling != plan.GoesOn && (v == api.Passed || free):
						t.Errorf("%+v comes to %q", j, row.Ruling)
					}
					// What holds a unit is found by the same rule.
					_, held := plan.FirstBad([]api.Check{{Verdict: v, Advisory: is == plan.OnlyAdvises}})
					if is != plan.GoingBack && held != (row.Ruling != plan.GoesOn) {
						t.Errorf("%+v: a unit is held: %t, the table says %q", j, held, row.Ruling)
					}
				}
			}
		}
	}
	for _, row := range plan.VerdictPolicy() {
		if !used[row] || row.Why == "" {
			t.Errorf("nothing is decided by %+v", row)
		}
	}
}
