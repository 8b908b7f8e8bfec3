// Package runs holds the activities that are about other runs: one waits for the end of one, another has what ended taken back. Each is
// idempotent: what goes back already is not taken back once more.
package runs

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/serve"
	"sluice.dev/sluice/internal/step"
)

// beatEvery is well below the heartbeat timeout of an activity that only waits.
const beatEvery = 5 * time.Second

// Workflows is the part of a Temporal client that tells how a workflow closed.
type Workflows interface {
	GetWorkflow(ctx context.Context, workflowID, runID string) client.WorkflowRun
}

// Orders takes commands for runs, whether they are open or have ended, and audits what it refuses. The engine does.
type Orders interface {
	Command(ctx context.Context, run, name string, c api.Command) (api.Answer, error)
}

// Activities look at workflows, and have runs started: some that take back, some of drills. All fields are required.
type Activities struct {
	Client Workflows
	Orders Orders
	Drills Drills
	Clock  clock.WithTicker
}

// Register has what is about other runs done here.
func (a *Activities) Register(r serve.Registry) {
	serve.Handle(r, step.Closed, a.Closed)
	serve.Handle(r, step.TakeBack, a.TakeBack)
	serve.Handle(r, step.BeginDrill, a.BeginDrill)
	serve.Handle(r, step.JudgeDrill, a.JudgeDrill)
	serve.Handle(r, step.EndDrill, a.EndDrill)
}

// TakeBack has a run that has ended taken back. It is tried again until it is done or refused: nobody waits for the answer who could
// ask again.
func (a *Activities) TakeBack(ctx context.Context, req step.TakeBackRequest) (step.Note, error) {
	answer, err := a.Orders.Command(ctx, req.Run, api.UpdateRollback, req.Command)
	switch fault.CodeOf(err) {
	case fault.Refused, fault.Conflict: // which the audit says
		return "refused: " + err.Error(), nil
	case fault.Unreachable:
		return "", fault.Wrap(fault.Internal, err, "cannot take back %s yet", req.Run)
	}
	return answer.Message, err
}

// Closed returns once no workflow under the ID is open, however it closed.
func (a *Activities) Closed(ctx context.Context, id string) (string, error) {
	defer serve.Alive(ctx, a.Clock, beatEvery)()
	err := a.Client.GetWorkflow(ctx, id, "").Get(ctx, nil)
	var ended *temporal.WorkflowExecutionError
	var unknown *serviceerror.NotFound
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err == nil, errors.As(err, &ended), errors.As(err, &unknown):
		return id + " has closed", nil
	}
	return "", err
}
