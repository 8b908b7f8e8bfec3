package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// advance moves the batch until its pods are there and available. A check that fails meanwhile stops the unit, and so does a
// batch that does not get on.
func (r *clusterRollout) advance(ctx workflow.Context, at *api.BatchStatus, req step.AdvanceRequest) error {
	req.Checks = pipelines.ChecksAt(r.plan.Rules.Checks, pipelines.During)
	req.Deadline = time.Duration(r.plan.Rules.ProgressDeadline)
	for {
		at.Phase = api.PhaseMoving
		r.set(ctx, api.PhaseMoving, &api.Waiting{Kind: "pods", Name: at.Path})
		req.State = r.stateOf(req.Object)
		seen, err := r.push(ctx, at, req)
		if err != nil {
			return err
		}
		if seen.Facts.Workload.Name != "" {
			at.Updated, at.Ready = int(seen.Facts.Batch.Updated), int(seen.Facts.Batch.UpdatedReady)
			at.Lost = int(seen.Facts.Batch.Lost)
		}
		at.Stuck = seen.Stuck
		r.note(at, seen.Checks)
		bad, held := api.FirstBad(seen.Checks)
		if !held || len(seen.Behind) > 0 {
			r.leftBehind(req.Object, seen.Behind)
		}
		if !held {
			gotOn(at)
			if bad, held = r.tooManyBehind(seen.Behind); !held {
				return nil
			}
		}
		phase := api.PhaseHeld
		if bad.Name == api.Progress && seen.Stalled {
			phase = api.PhaseStalled
		}
		if err := r.stand(ctx, phase, bad, at); err != nil {
			return err
		}
	}
}

// gotOn takes back that a batch had stalled.
func gotOn(at *api.BatchStatus) {
	at.Stuck = nil
	i := slices.IndexFunc(at.Checks, func(c api.Check) bool { return c.Name == api.Progress && c.Verdict == api.Inconclusive })
	if i >= 0 {
		at.Checks[i].Verdict, at.Checks[i].Message = api.Passed, "it had stalled, and went on"
	}
}

// push moves a batch to its end, under the orders that do obeys. Each time that it begins anew, after a pause or once its
// cluster is back within reach, it has its whole deadline again.
func (r *clusterRollout) push(ctx workflow.Context, at *api.BatchStatus, req step.AdvanceRequest) (api.Facts, error) {
	c := near(r, step.Advance, "move batch "+at.Path, req)
	if r.shape < stallsHold || req.Deadline <= 0 {
		return do(ctx, r, c)
	}
	return doing(ctx, r, c, func(ctx workflow.Context) (api.Facts, error) { return r.guarded(ctx, c, at, req) })
}

// guarded runs an activity that moves pods beside a durable timer. When that goes off it looks once: what has got on since is
// given the whole time again, anything else is stalled.
func (r *clusterRollout) guarded(outer workflow.Context, c call[api.Facts], at *api.BatchStatus, req step.AdvanceRequest) (api.Facts, error) {
	ctx, cancel := workflow.WithCancel(outer)
	r.cancel = cancel
	defer func() { r.cancel = nil; cancel() }()
	moving := c.start(ctx)
	for {
		if waited(ctx, moving.ready, wholeSeconds(req.Deadline+tuned().StallSlack), "look whether "+at.Path+" gets on") {
			return moving.get(ctx)
		}
		look := near(r, step.Look, "look whether "+at.Path+" gets on", req).start(ctx)
		_ = workflow.Await(ctx, func() bool { return moving.ready() || look.ready() })
		if moving.ready() || ctx.Err() != nil {
			return moving.get(ctx)
		}
		now, err := look.get(ctx)
		if err == nil && gotFurther(at, now.Facts.Batch) {
			continue
		}
		cancel()
		_ = waited(outer, moving.ready, tuned().WoundUp, "let "+at.Path+" wind up")
		if err != nil && temporal.IsCanceledError(err) {
			return now, err
		}
		if moving.ready() {
			if end, err := moving.get(ctx); err == nil {
				return end, nil // it has just come to its end
			}
		}
		if err != nil && codeOf(err) == fault.Unreachable {
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
	text := fmt.Sprintf("nothing got on for %s: %d of %d pods are updated, %d of these are ready", req.Deadline, b.Updated, req.Target, b.UpdatedReady)
	if looked != nil {
		text = fmt.Sprintf("it has not ended for %s, and nobody can look at it: %s", req.Deadline, messageOf(looked))
	}
	return api.Check{Name: api.Progress, At: string(pipelines.During), Verdict: api.Inconclusive, Message: text}
}
