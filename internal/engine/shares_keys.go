package engine

import (
	"context"
	"errors"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/payload"
)

// sharing is a client with keys that tells nothing to a run that was begun under a key it has not: the run's workers would not have those
// of the client either, and a run that is told what its workers cannot read waits until they can.
type sharing struct {
	client.Client
	namespace string
	by        converter.DataConverter
}

// SignalWorkflow implements client.Client.
func (s sharing) SignalWorkflow(ctx context.Context, workflowID, runID, signal string, arg any) error {
	if err := s.shares(ctx, workflowID); err != nil {
		return err
	}
	return s.Client.SignalWorkflow(ctx, workflowID, runID, signal, arg)
}

// UpdateWorkflow implements client.Client.
func (s sharing) UpdateWorkflow(ctx context.Context, o client.UpdateWorkflowOptions) (client.WorkflowUpdateHandle, error) {
	if err := s.shares(ctx, o.WorkflowID); err != nil {
		return nil, err
	}
	return s.Client.UpdateWorkflow(ctx, o)
}

// shares is fault.Invalid where what a run was begun with cannot be read here. Where that cannot be found out it is nil: whoever tells the
// run something hears why.
func (s sharing) shares(ctx context.Context, run string) error {
	began, err := s.WorkflowService().GetWorkflowExecutionHistory(ctx, &workflowservice.GetWorkflowExecutionHistoryRequest{
		Namespace: s.namespace, Execution: &commonpb.WorkflowExecution{WorkflowId: run}, MaximumPageSize: 1,
	})
	if err != nil || len(began.GetHistory().GetEvents()) == 0 {
		return nil
	}
	var in api.RolloutInput
	err = s.by.FromPayloads(began.GetHistory().GetEvents()[0].GetWorkflowExecutionStartedEventAttributes().GetInput(), &in)
	if !errors.Is(err, payload.ErrUnread) {
		return nil
	}
	return fault.Wrap(fault.Invalid, err, "cannot tell run %s anything: its workers have other payload keys", run)
}
