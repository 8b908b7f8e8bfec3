package engine

import (
	"context"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"sluice.dev/sluice/internal/ledger"
)

// lastWorked is when a worker is last known to have done anything for a run: asked the task queue for work, written down
// what it saw, or said that it was there. The zero time where nothing is known.
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
	queue, err := e.queue(ctx)
	if err != nil {
		return last
	}
	polled := false
	if server, err := e.Server(ctx); err == nil {
		there, err := server.Temporal.DescribeTaskQueue(ctx, queue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
		polled = err == nil
		for _, p := range there.GetPollers() {
			last = later(last, p.GetLastAccessTime().AsTime())
		}
	}
	beats, err := e.ledger.ListBeats(ctx)
	if err != nil {
		return last
	}
	for _, b := range beats {
		// One that beats and asks Temporal for no work has lost it: it does nothing for the run.
		if slices.Contains(b.Queues, queue) && !b.Seen.After(e.now()) && !(polled && b.There(e.now())) {
			last = later(last, b.Seen)
		}
	}
	return last
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
