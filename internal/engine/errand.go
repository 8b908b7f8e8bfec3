package engine

import (
	"context"
	"time"

	"go.temporal.io/sdk/client"
)

// errand is a short workflow that somebody waits for.
type errand struct {
	name string // of the workflow
	in   any
	id   string // to which the time is added
	says string // what it is, in the list of workflows
}

// errandTimeout ends an errand whose asker has gone.
const errandTimeout = time.Hour

// begin has workers do an errand. Cannot is what could not be done where the server does not take it.
func (e *Engine) begin(ctx context.Context, w errand, cannot string) (client.WorkflowRun, error) {
	server, err := e.Server(ctx)
	if err != nil {
		return nil, err
	}
	queue, err := e.queue(ctx)
	if err != nil {
		return nil, err
	}
	run, err := server.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: w.id + "/" + e.now().Format("20060102T150405.000000"), TaskQueue: queue,
		WorkflowExecutionTimeout: errandTimeout, StaticSummary: w.says,
	}, w.name, w.in)
	return run, e.temporalFault(err, "%s", cannot)
}

// await waits for a workflow to end, reads its result into a pointer that is not nil, and gives up where no worker serves its task queue.
func (e *Engine) await(ctx context.Context, run client.WorkflowRun, result any) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- run.Get(ctx, result) }()
	patience := e.options.Clock.NewTicker(e.options.Worker)
	defer patience.Stop()
	for {
		select {
		case err := <-ended:
			return e.temporalFault(err, "workflow %s failed", run.GetID())
		case <-patience.C():
			if err := e.served(ctx); err != nil {
				return err
			}
		}
	}
}
