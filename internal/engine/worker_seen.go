package engine

import (
	"context"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"sluice.dev/sluice/internal/ledger"
)

// lastWorked is when a worker is last known to have done anything for a run: asked the task queue for work, or written down
// what it saw. The zero time where nothing is known.
func (e *Engine) lastWorked(ctx context.Context, run ledger.Run, described *workflowservice.DescribeWorkflowExecutionResponse) time.Time {
	last := run.Started
	if seen, err := e.ledger.ListObservations(ctx, run.Subject); err == nil {
		for _, o := range seen {
			if o.Run == run.Name {
				last = later(last, o.Seen)
			}
		}
	}
	for _, a := range described.GetPendingActivities() {
		if at := a.GetLastStartedTime(); at != nil {
			last = later(last, at.AsTime())
		}
		if at := a.GetLastHeartbeatTime(); at != nil {
			last = later(last, at.AsTime())
		}
	}
	server, err := e.Server(ctx)
	if err != nil {
		return last
	}
	queue, err := e.queue(ctx)
	if err != nil {
		return last
	}
	there, err := server.Temporal.DescribeTaskQueue(ctx, queue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil {
		return last
	}
	for _, p := range there.GetPollers() {
		last = later(last, p.GetLastAccessTime().AsTime())
	}
	return last
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
