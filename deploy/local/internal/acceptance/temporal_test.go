package acceptance

import (
	"context"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/deploy/local/internal/stack"
)

func dial(t *testing.T, d stack.TemporalDescription) client.Client {
	t.Helper()
	c, err := client.Dial(client.Options{HostPort: d.Address, Namespace: d.Namespace})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// startWorkflow starts a workflow that no worker takes up, so it stays open.
func startWorkflow(t *testing.T, d stack.TemporalDescription, id string) {
	t.Helper()
	_, err := dial(t, d).ExecuteWorkflow(context.Background(), client.StartWorkflowOptions{
		ID: id, TaskQueue: "nobody",
		TypedSearchAttributes: temporal.NewSearchAttributes(
			temporal.NewSearchAttributeKeyKeyword("SluiceCluster").ValueSet("east"),
			temporal.NewSearchAttributeKeyInt64("SluicePercent").ValueSet(40),
		),
	}, "Rollout")
	if err != nil {
		t.Fatal(err)
	}
}

func expectWorkflow(t *testing.T, d stack.TemporalDescription, id string) {
	t.Helper()
	c := dial(t, d)
	answer, err := c.DescribeWorkflowExecution(context.Background(), id, "")
	if err != nil {
		t.Fatal(err)
	}
	if s := answer.GetWorkflowExecutionInfo().GetStatus(); s != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		t.Errorf("workflow %s is %s", id, s)
	}
	found, err := c.ListWorkflow(context.Background(), &workflowservice.ListWorkflowExecutionsRequest{
		Query: `SluiceCluster = "east" AND SluicePercent = 40`,
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found.GetExecutions()) != 1 {
		t.Errorf("%d workflows are found by search attributes, want 1", len(found.GetExecutions()))
	}
}

func expectNamespace(t *testing.T, d stack.TemporalDescription) {
	t.Helper()
	answer, err := dial(t, d).WorkflowService().DescribeNamespace(context.Background(),
		&workflowservice.DescribeNamespaceRequest{Namespace: d.Namespace})
	if err != nil {
		t.Fatal(err)
	}
	if keep := answer.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration(); keep < 30*24*time.Hour {
		t.Errorf("closed workflows are kept for %s only", keep)
	}
}
