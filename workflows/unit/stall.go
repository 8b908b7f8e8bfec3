package unit

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
	"sluice.dev/sluice/workflows/ask"
	"sluice.dev/sluice/workflows/pace"
)

// guarded runs an activity that moves pods beside a durable timer. When that goes off it looks once: what has got on since is
// given the whole time again, anything else is stalled.
func (r *machine) guarded(outer workflow.Context, c ask.Call[api.Facts], at *api.BatchStatus, req step.AdvanceRequest) (api.Facts, error) {
	ctx, cancel := workflow.WithCancel(outer)
	r.cancel = cancel
	defer func() { r.cancel = nil; cancel() }()
	moving := c.Start(ctx)
	for {
		if waited(ctx, moving.Ready, pace.WholeSeconds(req.Deadline+pace.Tuned().StallSlack), "look whether "+at.Path+" gets on") {
			return moving.Get(ctx)
		}
		look := near(r, step.Look, "look whether "+at.Path+" gets on", req).Start(ctx)
		_ = workflow.Await(ctx, func() bool { return moving.Ready() || look.Ready() })
		if moving.Ready() || ctx.Err() != nil {
			return moving.Get(ctx)
		}
		now, err := look.Get(ctx)
		if err == nil && gotFurther(at, now.Facts.Batch) {
			continue
		}
		cancel()
		_ = waited(outer, moving.Ready, pace.Tuned().WoundUp, "let "+at.Path+" wind up")
		if err != nil && temporal.IsCanceledError(err) {
			return now, err
		}
		if moving.Ready() {
			if end, err := moving.Get(ctx); err == nil {
				return end, nil // it has just come to its end
			}
		}
		if err != nil && ask.CodeOf(err) == fault.Unreachable {
			return now, err
		}
		now.Stalled = true
		now.Checks = append(now.Checks, stalled(req, now, err))
		return now, nil
	}
}

// waited waits until something is so, at most for a time; false where that is over.
func waited(ctx workflow.Context, so func() bool, most time.Duration, summary string) bool {
	o := workflow.AwaitOptions{Timeout: most, TimerOptions: workflow.TimerOptions{Summary: summary}}
	ready, err := workflow.AwaitWithOptions(ctx, o, so)
	return ready || err != nil
}

// gotFurther reports whether a batch has got on since it was last looked at, and keeps how far. One whose pods are all ready
// waits for minReadySeconds, which the activity counts.
func gotFurther(at *api.BatchStatus, now rule.Batch) bool {
	on := int(now.Updated) > at.Updated || int(now.UpdatedReady) > at.Ready || now.Target > 0 && now.UpdatedReady >= now.Target
	at.Updated, at.Ready = max(at.Updated, int(now.Updated)), max(at.Ready, int(now.UpdatedReady))
	return on
}

// stalled is the verdict on a batch of which the timer found that it does not get on.
func stalled(req step.AdvanceRequest, now api.Facts, looked error) api.Check {
	b := now.Facts.Batch
	text := fmt.Sprintf("nothing got on for %s: %d of %d pods are updated, %d of these are ready",
		req.Deadline, b.Updated, req.Target, b.UpdatedReady)
	if looked != nil {
		text = fmt.Sprintf("it has not ended for %s, and nobody can look at it: %s", req.Deadline, ask.MessageOf(looked))
	}
	return api.Check{Name: api.Progress, At: pipelines.During, Verdict: api.Inconclusive, Message: text}
}
