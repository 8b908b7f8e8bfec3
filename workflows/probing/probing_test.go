package probing_test

import (
	"testing"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/workflows/probing"
)

func TestWhatCameOfCasesIsToldByQuery(t *testing.T) {
	passed := []api.ProbedRun{{Case: "etcd", Verdict: api.Passed}}
	for _, c := range []struct {
		reason string
		runs   []api.ProbedRun
		fails  error
		want   api.Verdict
		says   string
	}{
		{"they pass", passed, nil, api.Passed, ""},
		{"one fails", append([]api.ProbedRun{{Case: "pod-life", Verdict: api.Failed}}, passed...), nil, api.Failed, ""},
		{"nothing answers", nil, nil, api.Skipped, ""},
		{"they could not run", nil, temporal.NewApplicationError("cannot find case etcd in cluster c1", string(fault.NotFound)), api.Error,
			"cannot find case etcd in cluster c1"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			var suite testsuite.WorkflowTestSuite
			env := suite.NewTestWorkflowEnvironment()
			env.RegisterWorkflowWithOptions(probing.Probe, workflow.RegisterOptions{Name: api.ProbeWorkflowName})
			env.RegisterActivityWithOptions(func(api.ProbeInput) ([]api.ProbedRun, error) { return c.runs, c.fails },
				activity.RegisterOptions{Name: step.RunCases.Name()})
			in := api.ProbeInput{ProbeSubject: api.ProbeSubject{Set: "plane"}, Cluster: "c1", Site: "eu", Key: "k", By: "ann"}
			env.ExecuteWorkflow(api.ProbeWorkflowName, in)
			if err := env.GetWorkflowError(); err != nil {
				t.Fatal(err)
			}
			value, err := env.QueryWorkflow(api.QueryProbed)
			if err != nil {
				t.Fatal(err)
			}
			var got api.Probed
			if err := value.Get(&got); err != nil {
				t.Fatal(err)
			}
			if got.ID != "c1/set:plane/k" || got.Verdict() != c.want || got.Problem != c.says || len(got.Runs) != len(c.runs) {
				t.Errorf("%+v is %s", got, got.Verdict())
			}
		})
	}
}
