// Package ask is how workflows ask for activities: with whose workers, for how long, how often again, and what an error means. It
// decides nothing.
package ask

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/workflows/pace"
)

// Call is one activity that a workflow asks for, and what it asks. Res is what it answers.
type Call[Res any] struct {
	Name    string // of the activity
	Summary string // for whoever watches
	class   step.Class
	site    string // whose workers do it; "" for the central ones
	in      any
}

// For is a call of a central activity.
func For[Req, Res any](a step.Activity[Req, Res], summary string, in Req) Call[Res] {
	return Call[Res]{Name: a.Name(), class: a.Class(), Summary: summary, in: in}
}

// Near has the workers of a site do it.
func (c Call[Res]) Near(site string) Call[Res] {
	c.site = site
	return c
}

// Start schedules the activity. Cancelling ctx asks it to end, and it is ready only once it has.
func (c Call[Res]) Start(ctx workflow.Context) Asked[Res] {
	t := termsOf(c.class)
	queue := api.SiteQueue(workflow.GetInfo(ctx).TaskQueueName, c.site)
	if c.class == step.Checking {
		queue = api.ChecksQueue(queue)
	}
	opts := workflow.ActivityOptions{
		TaskQueue:           queue,
		StartToCloseTimeout: t.takes,
		HeartbeatTimeout:    t.heard,
		WaitForCancellation: true,
		Summary:             c.Summary,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second,
			MaximumAttempts: t.tries, NonRetryableErrorTypes: finalCodes,
		},
	}
	if c.site != "" && c.class != step.Patient {
		opts.ScheduleToStartTimeout = pace.Tuned().SiteWorker
	}
	return Asked[Res]{workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, opts), c.Name, c.in)}
}

// Get runs the activity to its end.
func (c Call[Res]) Get(ctx workflow.Context) (Res, error) { return c.Start(ctx).Get(ctx) }

// Asked is an activity that is under way.
type Asked[Res any] struct{ future workflow.Future }

// Ready reports whether it has ended.
func (a Asked[Res]) Ready() bool { return a.future.IsReady() }

// Get waits for its end, and returns what it answers.
func (a Asked[Res]) Get(ctx workflow.Context) (answer Res, err error) {
	err = a.future.Get(ctx, &answer)
	return answer, err
}
