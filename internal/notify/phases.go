package notify

import (
	"context"
	"fmt"
	"strings"

	"go.temporal.io/api/workflowservice/v1"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/visible"
	"sluice.dev/sluice/pipelines"
)

// Seen is how far an open run is.
type Seen struct {
	Phase    string
	WaitsFor string // kind and name
}

// Phases says how far all open runs are, by name. A run that it does not know is where it was.
type Phases interface {
	Open(ctx context.Context) (map[string]Seen, error)
}

// Lister is the part of a Temporal client that lists runs.
type Lister interface {
	ListWorkflow(context.Context, *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error)
}

// Listed are the phases in Temporal's list of the runs of a task queue: one question for all of them.
type Listed struct {
	Temporal Lister
	Queue    string
}

// maxPages bounds a look: 10,000 runs that are open at once.
const maxPages = 10

// Open implements Phases.
func (l Listed) Open(ctx context.Context) (map[string]Seen, error) {
	all := map[string]Seen{}
	ask := &workflowservice.ListWorkflowExecutionsRequest{
		PageSize: 1000,
		Query:    fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus = 'Running' AND TaskQueue = '%s'", api.RolloutName, l.Queue),
	}
	for range maxPages {
		page, err := l.Temporal.ListWorkflow(ctx, ask)
		if err != nil {
			return all, fmt.Errorf("cannot list open runs: %w", err)
		}
		for _, info := range page.GetExecutions() {
			var seen Seen
			visible.Attribute(info, api.AttributePhase, &seen.Phase)
			visible.Attribute(info, api.AttributeWaitingFor, &seen.WaitsFor)
			all[info.GetExecution().GetWorkflowId()] = seen
		}
		if ask.NextPageToken = page.GetNextPageToken(); len(ask.NextPageToken) == 0 {
			break
		}
	}
	return all, nil
}

// stands is what a run stands for until somebody acts, or a freeze ends; "" where it gets on.
func (s Seen) stands() pipelines.NotifyEvent {
	kind, _, _ := strings.Cut(s.WaitsFor, " ")
	kind = strings.TrimSuffix(kind, ":")
	switch {
	case api.WaitKind(kind) == api.WaitApproval:
		return pipelines.EventApproval
	case api.Phase(s.Phase) == api.PhaseStalled:
		return pipelines.EventStalled
	case api.WaitKind(kind) == api.WaitDecision, api.WaitKind(kind) == api.WaitBudget,
		api.Phase(s.Phase) == api.PhaseHeld, api.Phase(s.Phase) == api.PhaseRefused:
		return pipelines.EventHeld
	case api.WaitKind(kind) == api.WaitFreeze:
		return pipelines.EventFrozen
	}
	return ""
}

// standsAt is what a run that stands waits for, kind and name; "" where that is not what it stands for.
func (s Seen) standsAt() string {
	at, _, _ := strings.Cut(s.WaitsFor, ": ")
	switch kind, _, _ := strings.Cut(at, " "); api.WaitKind(kind) {
	case api.WaitApproval, api.WaitDecision, api.WaitBudget, api.WaitFreeze:
		return at
	}
	return ""
}
