package checks_test

import (
	"context"
	"testing"

	"go.temporal.io/sdk/testsuite"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/activities/checks"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
)

// TestChecksThatAreAskedForAnewHaveAnotherKey: what was made for them before, a job's pod for one, is not taken for their answer.
func TestChecksThatAreAskedForAnewHaveAnotherKey(t *testing.T) {
	var keys []string
	source := check.SourceFunc(func(_ context.Context, q check.Question) check.Finding {
		keys = append(keys, q.Key)
		return check.Finding{Verdict: api.Passed}
	})
	a := &checks.Activities{
		Measurer: check.NewMeasurer(clock.RealClock{}, check.NewRules(), check.Sources{"script": source}), Clock: clock.RealClock{},
	}
	script := pipelines.StepKinds{Script: &pipelines.Script{Name: "smoke"}}
	req := step.ChecksRequest{
		Ref: step.Ref{Run: "run-1"}, Point: pipelines.AfterStage,
		Checks: []pipelines.ResolvedCheck{{Name: "smoke", Steps: []pipelines.ResolvedStep{{Name: "smoke/run", StepKinds: script}}}},
	}
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(a.Ask)
	for range 2 {
		if _, err := env.ExecuteActivity(a.Ask, req); err != nil {
			t.Fatal(err)
		}
	}
	if len(keys) != 2 || keys[0] == keys[1] {
		t.Errorf("the keys are %q", keys)
	}
}
