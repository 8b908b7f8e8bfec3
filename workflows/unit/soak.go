package unit

import (
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/workflows/ask"
	"sluice.dev/sluice/workflows/pace"
)

// soak is the quiet time after a batch, or after all of a cluster.
type soak struct {
	quiet     pipelines.Duration
	at        *api.BatchStatus // nil for the cluster
	end       pipelines.Point  // at which it is judged afterwards
	workloads func() []step.AdvanceRequest
}

// soak waits, durably, while checks keep looking at workloads, and for as many measurements as it is to have. What was out of sight
// meanwhile, or stood at a check, is looked at again for a while, however late it is.
func (r *machine) soak(ctx workflow.Context, s soak) error {
	r.sampler = sampler{}
	until := workflow.Now(ctx).Add(time.Duration(s.quiet))
	hurries := r.orders.hurries
	for {
		if r.orders.hurries > hurries {
			hurries, until = r.orders.hurries, workflow.Now(ctx).Add(pace.LastLook)
		}
		left := until.Sub(workflow.Now(ctx))
		if left <= 0 && !r.lacks(s) || borne(s.at) {
			return nil
		}
		before := workflow.Now(ctx)
		if err := r.obey(ctx); err != nil {
			return err
		}
		if borne(s.at) {
			continue
		}
		until = until.Add(workflow.Now(ctx).Sub(before)) // a pause is no part of it
		r.sample(ctx, s)
		left, waiting := r.quietFor(ctx, s, left, until)
		r.set(ctx, api.PhaseSoaking, waiting)
		r.cut = false
		r.soaks = true
		seen, err := r.watchFor(ctx, left, s.workloads())
		r.soaks, err = false, r.unlessCut(err)
		r.sampler.last = false
		switch {
		case err == nil:
			r.here(ctx)
			r.note(s.at, seen.Checks)
			bad, held := plan.FirstBad(seen.Checks)
			if !held {
				r.keepStuck(s.at, nil)
				continue
			}
			r.keepStuck(s.at, seen.Stuck)
			err = r.stand(ctx, api.PhaseHeld, bad, s.at)
		case temporal.IsCanceledError(err):
			if ctx.Err() != nil {
				return err
			}
			continue
		case ask.CodeOf(err) == fault.Unreachable:
			err = r.awaitCluster(ctx, err)
		default:
			failure := api.Check{Name: "watch during soak", At: s.end, Verdict: api.Error, Message: ask.MessageOf(err)}
			err = r.hold(ctx, api.PhaseHeld, failure, r.pathOf(s.at))
		}
		if err != nil {
			return err
		}
		until = pace.LookAgain(ctx, until, time.Duration(s.quiet))
	}
}

// watchFor looks for as long as the timer runs, and once at its end, or until a check does not pass. It returns what that
// saw, and a cancelled error where an order came in between.
func (r *machine) watchFor(ctx workflow.Context, left time.Duration, workloads []step.AdvanceRequest) (api.Facts, error) {
	var seen api.Facts
	ctx, cancel := workflow.WithCancel(ctx)
	r.cancel = cancel
	defer func() { r.cancel = nil; cancel() }()
	whole := pace.WholeSeconds(left)
	timer := workflow.NewTimerWithOptions(ctx, whole, workflow.TimerOptions{Summary: "soak " + whole.String()})
	if slices.ContainsFunc(workloads, func(w step.AdvanceRequest) bool { return len(w.Checks) > 0 }) {
		req := step.ObserveRequest{Ref: r.in.Ref, For: left, Workloads: workloads}
		var err error
		if seen, err = near(r, step.Observe, "look while it soaks", req).Get(ctx); err != nil {
			return seen, err
		}
		if _, held := plan.FirstBad(seen.Checks); held {
			return seen, nil
		}
	}
	return seen, timer.Get(ctx, nil)
}

// soaking is what a soak of the cluster, its group or its stage looks at: every workload that was moved, at rest.
func (r *machine) soaking() []step.AdvanceRequest {
	var out []step.AdvanceRequest
	for _, h := range r.held {
		req := r.requestFor(h)
		req.Checks = pipelines.Quick(r.checksAt(pipelines.During))
		out = append(out, req)
	}
	return out
}

// fresh is a request as its workload is held now.
func (r *machine) fresh(req step.AdvanceRequest) []step.AdvanceRequest {
	req.State = r.stateOf(req.Object)
	return []step.AdvanceRequest{req}
}
