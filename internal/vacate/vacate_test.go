package vacate_test

import (
	"context"
	"errors"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	testclock "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger/sqlite/sqlitetest"
	"sluice.dev/sluice/internal/permit"
	"sluice.dev/sluice/internal/vacate"
)

type workflows map[string]enumspb.WorkflowExecutionStatus

func (w workflows) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if id == "away" {
		return nil, errors.New("no answer")
	}
	status, there := w[id]
	if !there {
		return nil, serviceerror.NewNotFound("no such workflow")
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{Status: status}}, nil
}

// TestTheDeadLeave: whose workflow is open, or cannot be asked, keeps the permit, and so does one that has only just asked.
func TestTheDeadLeave(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	l, clock := sqlitetest.New(t), testclock.NewFakeClock(now)
	for _, holder := range []string{"open", "terminated", "gone", "away"} {
		p := permit.Permit{Run: holder + "-1", Subject: api.Component("a"), Cluster: holder, Holder: permit.Holder{Workflow: holder}}
		if _, err := l.Enter(t.Context(), p, nil, now); err != nil {
			t.Fatal(err)
		}
	}
	v := &vacate.Vacater{Ledger: l, Clock: clock, Temporal: workflows{
		"open": enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, "terminated": enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED,
	}}
	if err := v.Look(t.Context()); err != nil {
		t.Errorf("it asks about what is new: %v", err)
	}
	clock.Step(2 * time.Minute)
	if err := v.Look(t.Context()); err == nil {
		t.Error("nobody hears that Temporal does not answer")
	}
	left, err := l.ListPermits(t.Context())
	if err != nil || len(left) != 2 || left[0].Cluster != "open" || left[1].Cluster != "away" {
		t.Errorf("there are %+v, %v", left, err)
	}
}
