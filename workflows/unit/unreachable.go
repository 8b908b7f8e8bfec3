package unit

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/workflows/ask"
	"sluice.dev/sluice/workflows/pace"
)

// answers returns once the cluster's API server answers, or an order interrupts it.
func (r *machine) answers(ctx workflow.Context) error {
	_, err := interruptible(ctx, r, near(r, step.Reachable, "wait for "+r.in.Cluster, r.in.Ref))
	return err
}

// gone tells the run, once, that the cluster is out of reach.
func (r *machine) gone(ctx workflow.Context, cause error) {
	waiting := &api.Waiting{Kind: api.WaitCluster, Name: r.in.Cluster, Unmet: []string{ask.MessageOf(cause)}}
	if r.away {
		r.set(ctx, api.PhaseUnreachable, waiting)
		return
	}
	r.away, r.before = true, r.unit.Phase
	_, _ = ask.For(step.Unobserved, "note that "+r.in.Cluster+" is out of reach", r.in.Ref).Get(ctx)
	r.tell(ctx, api.PhaseUnreachable, waiting)
}

// here tells the run that the cluster has done what it was asked to: that it answers again is not enough.
func (r *machine) here(ctx workflow.Context) {
	r.misses = 0
	if !r.away {
		return
	}
	r.away = false
	if r.unit.Phase == api.PhaseUnreachable {
		r.unit.Phase = r.before
	}
	r.tell(ctx, r.unit.Phase, nil)
}

// backOff is how long to pause before the next try: an API server may say that it is ready and refuse all the same.
func (r *machine) backOff() time.Duration {
	r.misses++
	return pace.BackOff(r.misses)
}

// awaitCluster waits until the API server answers again; the run is told, since its budget counts it.
func (r *machine) awaitCluster(ctx workflow.Context, cause error) error {
	r.gone(ctx, cause)
	for {
		if err := r.orders.ended(); err != nil {
			return err
		}
		err := r.answers(ctx)
		if _, failed := workflow.AwaitWithTimeout(ctx, r.backOff(), func() bool { return r.orders.ended() != nil }); failed != nil {
			return failed
		}
		if err == nil {
			return r.orders.ended()
		}
	}
}
