package engine

import (
	"context"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// Standing is an order that a run has been given and that no worker has obeyed yet.
type Standing struct {
	Command string    `json:"command"`
	Who     string    `json:"who"`
	Reason  string    `json:"reason,omitempty"`
	Since   time.Time `json:"since"`
}

// String says it as the command line prints it.
func (s Standing) String() string {
	words := s.Command + " by " + s.Who
	if s.Reason != "" {
		words += ": " + s.Reason
	}
	return words
}

// leave writes an order into the history of a run, where it stands until a worker takes the run up. A dry run asks for an
// answer, and is not left.
func (e *Engine) leave(ctx context.Context, run string, o api.StandingOrder, why error) (api.Answer, error) {
	if o.Command.DryRun {
		return api.Answer{}, fault.Wrap(fault.CodeOf(why), why, "cannot ask %s what a %s would do", run, o.Name)
	}
	server, err := e.Server(ctx)
	if err != nil {
		return api.Answer{}, err
	}
	if err := server.Temporal.SignalWorkflow(ctx, run, "", api.SignalCommand, o); err != nil {
		return api.Answer{}, err
	}
	answer := api.Answer{Stands: true, Message: fmt.Sprintf(
		"the order to %s %s stands: it acts as soon as a worker takes the run up (now: %v)", o.Name, run, why)}
	return answer, e.audit(ctx, ledger.Entry{
		Who: o.Command.Who, Command: o.Name, Object: run, Scope: o.Command.Scope.String(), Reason: o.Command.Reason, Outcome: answer.Message,
	})
}

// standing lists the orders that came after the last time that a worker did anything for a run.
func (e *Engine) standing(ctx context.Context, server *Server, run string) ([]Standing, error) {
	ctx, cancel := context.WithTimeout(ctx, e.options.Query)
	defer cancel()
	var left []Standing
	events := server.Temporal.GetWorkflowHistory(ctx, run, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return nil, e.temporalFault(err, "cannot read what run %s was told", run)
		}
		switch event.GetEventType() {
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
			left = nil
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
			if s, ok := standingIn(server.values(), event); ok {
				left = append(left, s)
			}
		}
	}
	return left, nil
}

func standingIn(by converter.DataConverter, event *historypb.HistoryEvent) (Standing, bool) {
	signal := event.GetWorkflowExecutionSignaledEventAttributes()
	var o api.StandingOrder
	if signal.GetSignalName() != api.SignalCommand || by.FromPayloads(signal.GetInput(), &o) != nil {
		return Standing{}, false
	}
	return Standing{Command: o.Name, Who: o.Command.Who, Reason: o.Command.Reason, Since: event.GetEventTime().AsTime()}, true
}
