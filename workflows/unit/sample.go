package unit

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

// sampler is the measurements that the soak of a batch is to have: one activity beside it, which begins to count when the batch
// has arrived.
type sampler struct {
	end   workflow.CancelFunc // nil where nothing is measured
	until time.Time           // they are not made before
	last  bool                // the soak waits for nothing else
	made  bool
}

// lacks reports whether a soak is to have measurements that are not made.
func (r *machine) lacks(s soak) bool {
	return s.at != nil && r.plan.Rules.Soak.MinSamples > 0 && len(r.watched()) > 0 && !r.sampler.made
}

// sample has what a soak lacks measured. A unit that has stood still begins to count anew, as its background checks do.
func (r *machine) sample(ctx workflow.Context, s soak) {
	if !r.lacks(s) || r.sampler.end != nil {
		return
	}
	req := r.watching(pipelines.Sampled(r.watched(), r.plan.Rules.Soak.MinSamples))
	for _, h := range r.held {
		if h.object == s.at.Workload {
			req.Workloads = append(req.Workloads, r.requestFor(h))
		}
	}
	slowest, _ := pipelines.Slowest(req.Checks)
	r.sampler.until = workflow.Now(ctx).Add(slowest.Takes())
	summary := "samples of " + s.at.Path
	ctx, r.sampler.end = workflow.WithCancel(ctx)
	workflow.GoNamed(ctx, "samples", func(ctx workflow.Context) {
		r.watchBy(ctx, summary, req, func() {
			r.sampler.made = true
			if r.sampler.last && r.cancel != nil {
				r.interrupt()
			}
		})
	})
}

// sampleNoMore ends what is measured for a soak. What is made is made.
func (r *machine) sampleNoMore() {
	if r.sampler.end != nil {
		r.sampler.end()
	}
	r.sampler.end = nil
}

// quietFor is for how long a soak looks on from now, and what it waits for. Behind its quiet time that ends with the last measurement,
// whenever that is made.
func (r *machine) quietFor(ctx workflow.Context, s soak, left time.Duration, until time.Time) (time.Duration, *api.Waiting) {
	waiting := &api.Waiting{Kind: api.WaitSoak, Name: string(s.end), Until: until.UTC()}
	r.sampler.last = left <= 0
	if !r.lacks(s) {
		return left, waiting
	}
	waiting.Unmet = []string{fmt.Sprintf("background checks measured %d times each", r.plan.Rules.Soak.MinSamples)}
	if r.sampler.until.After(until) {
		waiting.Until = r.sampler.until.UTC()
	}
	if !r.sampler.last {
		return left, waiting
	}
	waiting.Name = "samples"
	if left = r.sampler.until.Sub(workflow.Now(ctx)); left <= 0 { // some were no measurements, and are made again
		left, waiting.Until = time.Hour, time.Time{}
	}
	return left, waiting
}
