package workflows

import (
	"errors"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/step"
)

// finalCodes are the failures that the same call would meet again: the workflow decides what becomes of them.
var finalCodes = []string{
	string(fault.Invalid), string(fault.NotFound), string(fault.Conflict),
	string(fault.Refused), string(fault.Unreachable), string(fault.Unauthorized),
}

// terms are how long an activity may take, how soon it has to be heard of, and how often it is tried; 0 is without a bound.
type terms struct {
	takes, heard time.Duration
	tries        int32
}

// termsOf are the terms of a class.
func termsOf(class step.Class) terms {
	switch class {
	case step.Lasting:
		return terms{takes: tuned().LongActivity, heard: tuned().Heartbeat}
	case step.Idle, step.Patient:
		return terms{takes: tuned().LongActivity, heard: tuned().IdleHeartbeat}
	case step.Ledger:
		return terms{takes: tuned().LedgerActivity, tries: tuned().Attempts}
	case step.Vital:
		return terms{takes: tuned().LedgerActivity}
	}
	return terms{takes: tuned().ShortActivity, heard: tuned().Heartbeat, tries: tuned().Attempts}
}

// call is one activity that a workflow asks for, and what it asks. Res is what it answers.
type call[Res any] struct {
	name    string
	class   step.Class
	summary string
	site    string // whose workers do it; "" for the central ones
	in      any
}

// ask is a call of a central activity.
func ask[Req, Res any](a step.Activity[Req, Res], summary string, in Req) call[Res] {
	return call[Res]{name: a.Name(), class: a.Class(), summary: summary, in: in}
}

// near has the workers of a site do it.
func (c call[Res]) near(site string) call[Res] {
	c.site = site
	return c
}

// start schedules the activity. Cancelling ctx asks it to end, and it is ready only once it has.
func (c call[Res]) start(ctx workflow.Context) asked[Res] {
	t := termsOf(c.class)
	opts := workflow.ActivityOptions{
		TaskQueue:           api.SiteQueue(workflow.GetInfo(ctx).TaskQueueName, c.site),
		StartToCloseTimeout: t.takes,
		HeartbeatTimeout:    t.heard,
		WaitForCancellation: true,
		Summary:             c.summary,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second,
			MaximumAttempts: t.tries, NonRetryableErrorTypes: finalCodes,
		},
	}
	if c.site != "" && c.class != step.Patient {
		opts.ScheduleToStartTimeout = tuned().SiteWorker
	}
	return asked[Res]{workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, opts), c.name, c.in)}
}

// get runs the activity to its end.
func (c call[Res]) get(ctx workflow.Context) (Res, error) { return c.start(ctx).get(ctx) }

// asked is an activity that is under way.
type asked[Res any] struct{ future workflow.Future }

func (a asked[Res]) ready() bool { return a.future.IsReady() }

func (a asked[Res]) get(ctx workflow.Context) (answer Res, err error) {
	return answer, a.future.Get(ctx, &answer)
}

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
