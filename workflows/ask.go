package workflows

import (
	"errors"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/step"
)

// How long activities may take. A short one that exceeds its time is tried again; a long one ends when it is done or
// cancelled. Those near clusters are known to be alive by their heartbeats; those of the ledger are short.
const (
	shortActivity  = 2 * time.Minute
	ledgerActivity = 30 * time.Second
	longActivity   = 10 * 365 * 24 * time.Hour
	heartbeat      = 10 * time.Second
	idleHeartbeat  = 30 * time.Second // of one that only waits or looks: hundreds may do so at once
	localActivity  = 10 * time.Second
	siteWorker     = 2 * time.Minute // without a worker of its site for so long, a cluster is out of reach
	attemptsBefore = 5               // tries of a short activity before the unit asks for a person
)

// finalCodes are the failures that the same call would meet again: the workflow decides what becomes of them.
var finalCodes = []string{
	string(fault.Invalid), string(fault.NotFound), string(fault.Conflict),
	string(fault.Refused), string(fault.Unreachable), string(fault.Unauthorized),
}

// call is one activity that a workflow asks for.
type call struct {
	name    string
	site    string // whose workers do it; "" for the central ones
	summary string
	long    bool
	vital   bool // tried until it succeeds: what it writes down is what others go by
	in      any
}

// start schedules the activity. Cancelling ctx asks it to end, and the future is ready only once it has.
func (c call) start(ctx workflow.Context) workflow.Future {
	opts := workflow.ActivityOptions{
		TaskQueue:           SiteQueue(workflow.GetInfo(ctx).TaskQueueName, c.site),
		StartToCloseTimeout: shortActivity,
		HeartbeatTimeout:    heartbeat,
		WaitForCancellation: true,
		Summary:             c.summary,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second,
			MaximumAttempts: attemptsBefore, NonRetryableErrorTypes: finalCodes,
		},
	}
	if step.OfLedger(c.name) {
		opts.StartToCloseTimeout, opts.HeartbeatTimeout = ledgerActivity, 0
	}
	if c.vital {
		opts.RetryPolicy.MaximumAttempts = 0
	}
	if c.site != "" && c.name != step.Reachable {
		opts.ScheduleToStartTimeout = siteWorker
	}
	if c.long {
		opts.StartToCloseTimeout = longActivity
		opts.RetryPolicy.MaximumAttempts = 0
	}
	if slices.Contains([]string{step.Observe, step.Reachable, step.Closed}, c.name) {
		opts.HeartbeatTimeout = idleHeartbeat
	}
	return workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, opts), c.name, c.in)
}

// get runs the activity to its end.
func (c call) get(ctx workflow.Context, out any) error { return c.start(ctx).Get(ctx, out) }

// codeOf returns the fault code that an activity ended with.
func codeOf(err error) fault.Code {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return fault.Code(app.Type())
	}
	var timeout *temporal.TimeoutError
	if errors.As(err, &timeout) && timeout.TimeoutType() == enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START {
		return fault.Unreachable
	}
	return fault.Internal
}

// messageOf returns what an activity said, without the layers that Temporal puts around it.
func messageOf(err error) string {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return app.Message()
	}
	var timeout *temporal.TimeoutError
	if errors.As(err, &timeout) && timeout.TimeoutType() == enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START {
		return "no worker of its site takes work"
	}
	if errors.As(err, &timeout) {
		return "no worker did it in time (" + timeout.Message() + ")"
	}
	return err.Error()
}
