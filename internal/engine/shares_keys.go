package engine

import (
	"context"
	"errors"

	enumspb "go.temporal.io/api/enums/v1"
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
	by converter.DataConverter
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
	began := s.GetWorkflowHistory(ctx, run, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	if !began.HasNext() {
		return nil
	}
	first, err := began.Next()
	if err != nil {
		return nil
	}
	var in api.RolloutInput
	err = s.by.FromPayloads(first.GetWorkflowExecutionStartedEventAttributes().GetInput(), &in)
	if !errors.Is(err, payload.ErrUnread) {
		return nil
	}
	return fault.Wrap(fault.Invalid, err, "cannot tell run %s anything: its workers have other payload keys", run)
}
