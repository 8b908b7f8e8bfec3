// Package runs holds the activity that waits for another run. It is idempotent: it changes nothing.
package runs

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/serve"
	"sluice.dev/sluice/internal/step"
)

// beatEvery is well below the heartbeat timeout of an activity that only waits.
const beatEvery = 5 * time.Second

// Workflows is the part of a Temporal client that tells how a workflow closed.
type Workflows interface {
	GetWorkflow(ctx context.Context, workflowID, runID string) client.WorkflowRun
}

// Activities look at workflows. All fields are required.
type Activities struct {
	Client Workflows
	Clock  clock.WithTicker
}

// Register has the waiting for workflows done here.
func (a *Activities) Register(r serve.Registry) {
	serve.Handle(r, step.Closed, a.Closed)
}

// Closed returns once no workflow under the ID is open, however it closed.
func (a *Activities) Closed(ctx context.Context, id string) (string, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	closed := make(chan error, 1)
	go func() { closed <- a.Client.GetWorkflow(ctx, id, "").Get(ctx, nil) }()
	beat := a.Clock.NewTicker(beatEvery)
	defer beat.Stop()
	for {
		select {
		case <-beat.C():
			activity.RecordHeartbeat(ctx)
		case <-ctx.Done():
			return "", ctx.Err()
		case err := <-closed:
			var ended *temporal.WorkflowExecutionError
			var unknown *serviceerror.NotFound
			if err == nil || errors.As(err, &ended) || errors.As(err, &unknown) {
				return id + " has closed", nil
			}
			return "", err
		}
	}
}
