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
)

// orders are what the run has told a unit and the unit has yet to obey. Rollback goes before abort, abort before pause.
type orders struct {
	paused   bool
	rollback bool
	abort    bool
	stop     bool
	resumes  int // how often it was told to resume; a held unit waits for the next
	ends     int // how often it was told to abort or stop; what nothing else interrupts gives up at the next
	who      string
	why      string
	ending   *api.Ending // whose order ended the way forward, or gave the way back up
}

// serve answers queries and takes orders for as long as the unit lives.
func (r *clusterRollout) serve(ctx workflow.Context) error {
	err := workflow.SetQueryHandlerWithOptions(ctx, api.QueryStatus, func() (api.UnitStatus, error) { return r.unit, nil },
		workflow.QueryHandlerOptions{Description: "where the unit is and what it waits for"})
	if err != nil {
		return err
	}
	in := workflow.GetSignalChannelWithOptions(ctx, signalOrder, workflow.SignalChannelOptions{Description: "an order of the run"})
	workflow.GoNamed(ctx, "orders", func(ctx workflow.Context) {
		for {
			var o order
			in.Receive(ctx, &o)
			if o.Run == r.in.Run && o.Back == r.in.Back {
				r.take(o)
			}
		}
	})
	return nil
}

// take notes an order, and ends the activity that is under way where the order goes before it.
func (r *clusterRollout) take(o order) {
	r.orders.who, r.orders.why = o.Who, o.Reason
	interrupts := true
	if slices.Contains([]string{orderAbort, orderRollback, orderStop}, o.Kind) {
		r.orders.ending = &api.Ending{By: o.Who, Reason: o.Reason}
	}
	switch o.Kind {
	case orderPause:
		interrupts = !r.orders.paused
		r.orders.paused = true
	case orderResume:
		r.orders.paused = false
		r.orders.resumes++
		interrupts = false
	case orderAbort:
		r.orders.abort = true
		r.orders.ends++
	case orderRollback:
		r.orders.rollback = true
	case orderStop:
		r.orders.stop = true
		r.orders.ends++
	}
	if interrupts && r.cancel != nil && (!r.firm || o.Kind == orderAbort || o.Kind == orderStop) {
		r.cancel()
	}
}

// ended returns the order that ends the way forward, if there is one.
func (o orders) ended() error {
	switch {
	case o.rollback:
		return errRollback
	case o.abort:
		return errAbort
	case o.stop:
		return errStop
	}
	return nil
}

func (r *clusterRollout) ended() error { return r.orders.ended() }

// obey returns once the unit may go on. A pause disarms what is armed and waits; resuming arms it again.
func (r *clusterRollout) obey(ctx workflow.Context) error {
	if err := r.orders.ended(); err != nil {
		return err
	}
	if !r.orders.paused {
		return nil
	}
	before := r.unit.Phase
	r.disarm(ctx)
	err := stand{
		show: r.set, phase: api.PhasePaused, then: before,
		waiting: &api.Waiting{Kind: "person", Name: "resume", Owner: r.orders.who, Unmet: reasons(api.Command{Reason: r.orders.why})},
		until:   func() bool { return !r.orders.paused },
		ends:    r.ended,
	}.wait(ctx)
	if err != nil {
		return err
	}
	return r.arm(ctx)
}

// do runs an activity to its end. An order that goes before it interrupts it, and it is run again once the order was
// obeyed; a cluster out of reach is waited for; any other failure holds the unit until somebody resumes it.
func do[Res any](ctx workflow.Context, r *clusterRollout, c call[Res]) (Res, error) {
	return doing(ctx, r, c, func(ctx workflow.Context) (Res, error) { return interruptible(ctx, r, c) })
}

// doing is do where a call is run in a way of its own.
func doing[Res any](ctx workflow.Context, r *clusterRollout, c call[Res], run func(workflow.Context) (Res, error)) (answer Res, err error) {
	for {
		if err := r.obey(ctx); err != nil {
			return answer, err
		}
		done, err := run(ctx)
		switch {
		case err == nil:
			r.here(ctx)
			return done, nil
		case temporal.IsCanceledError(err):
			if ctx.Err() != nil {
				return answer, err
			}
		case codeOf(err) == fault.Unreachable:
			if err := r.awaitCluster(ctx, err); err != nil {
				return answer, err
			}
		default:
			failure := api.Check{Name: c.summary, At: c.name, Verdict: api.Error, Message: messageOf(err)}
			if err := r.hold(ctx, stoodBy(err), failure, r.unit.Path); err != nil {
				return answer, err
			}
		}
	}
}

// stoodBy tells what may not be done as planned from what went wrong.
func stoodBy(err error) api.Phase {
	if code := codeOf(err); code == fault.Refused || code == fault.Conflict {
		return api.PhaseRefused
	}
	return api.PhaseHeld
}

// interruptible runs an activity that take may cancel.
func interruptible[Res any](ctx workflow.Context, r *clusterRollout, c call[Res]) (Res, error) {
	ctx, cancel := workflow.WithCancel(ctx)
	r.cancel = cancel
	defer func() { r.cancel = nil; cancel() }()
	return c.get(ctx)
}

// must runs an activity that stops or takes back: only an order to end gives it up, with errAbort. A cluster out of reach
// and faults of our own are waited out; what the same call would meet again is returned.
func must[Res any](ctx workflow.Context, r *clusterRollout, c call[Res]) (answer Res, err error) {
	ends := r.orders.ends
	r.firm = true
	defer func() { r.firm = false }()
	for {
		done, err := interruptible(ctx, r, c)
		switch code := codeOf(err); {
		case err == nil:
			r.here(ctx)
			return done, nil
		case ctx.Err() != nil:
			return answer, err
		case r.orders.ends > ends:
			return answer, fmt.Errorf("%w: told to end while it said: %s", errAbort, messageOf(err))
		case code == fault.Unreachable:
			r.gone(ctx, err)
			_ = r.answers(ctx)
		case code != fault.Internal:
			return answer, err
		default:
			r.set(ctx, r.unit.Phase, &api.Waiting{Kind: "retry", Name: c.summary, Unmet: []string{messageOf(err)}})
		}
		if _, err := workflow.AwaitWithTimeout(ctx, r.backOff(), func() bool { return r.orders.ends > ends }); err != nil {
			return answer, err
		}
	}
}

// answers returns once the cluster's API server answers, or an order interrupts it.
func (r *clusterRollout) answers(ctx workflow.Context) error {
	_, err := interruptible(ctx, r, near(r, step.Reachable, "wait for "+r.in.Cluster, r.in.Ref))
	return err
}

// gone tells the run, once, that the cluster is out of reach.
func (r *clusterRollout) gone(ctx workflow.Context, cause error) {
	waiting := &api.Waiting{Kind: "cluster", Name: r.in.Cluster, Unmet: []string{messageOf(cause)}}
	if r.away {
		r.set(ctx, api.PhaseUnreachable, waiting)
		return
	}
	r.away, r.before = true, r.unit.Phase
	_, _ = ask(step.Unobserved, "note that "+r.in.Cluster+" is out of reach", r.in.Ref).get(ctx)
	r.tell(ctx, api.PhaseUnreachable, waiting)
}

// here tells the run that the cluster has done what it was asked to: that it answers again is not enough.
func (r *clusterRollout) here(ctx workflow.Context) {
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
func (r *clusterRollout) backOff() time.Duration {
	r.misses++
	return backOff(r.misses)
}

func backOff(misses int) time.Duration {
	return min(time.Second<<min(misses-1, 16), tuned().MaxBackOff)
}

// awaitCluster waits until the API server answers again; the run is told, since its budget counts it.
func (r *clusterRollout) awaitCluster(ctx workflow.Context, cause error) error {
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

// hold stops the unit in a phase that stands, until somebody decides. It returns nil when it was told to resume.
func (r *clusterRollout) hold(ctx workflow.Context, phase api.Phase, failure api.Check, at string) error {
	if err := r.orders.ended(); err != nil {
		return err
	}
	before := r.unit.Phase
	r.unit.Failure, r.unit.FailedAt = &failure, at
	resumes := r.orders.resumes
	r.disarm(ctx)
	err := stand{
		show: r.tell, phase: phase, waiting: undecided(failure), then: before,
		until:  func() bool { return r.orders.resumes > resumes },
		ends:   r.ended,
		leaves: func() { r.unit.Failure, r.unit.FailedAt = nil, "" },
	}.wait(ctx)
	if err != nil {
		return err
	}
	return r.arm(ctx)
}

// disarm makes sure that no recreated pod gets the new template while the unit stands still. What keeps it from that is
// noted, and does not keep the unit from standing still.
func (r *clusterRollout) disarm(ctx workflow.Context) {
	for _, h := range r.held {
		if h.done {
			continue
		}
		state, err := must(ctx, r, near(r, step.Disarm, "disarm "+h.object, r.about(h)))
		if err != nil {
			r.unit.Checks = append(r.unit.Checks, api.Check{Name: "disarm " + h.object, At: "disarm", Verdict: api.Error, Message: messageOf(err)})
			continue
		}
		h.state, r.unit.Armed = state, state.Armed
	}
}

func (r *clusterRollout) arm(ctx workflow.Context) error {
	for _, h := range r.held {
		if h.done || h.state.UID == "" {
			continue
		}
		state, err := do(ctx, r, near(r, step.Arm, "arm "+h.object, r.about(h)))
		if err != nil {
			return err
		}
		h.state, r.unit.Armed = state, state.Armed
	}
	return r.catchUp(ctx)
}

// catchUp moves the last batch again: pods that others made anew while the workload was disarmed have the old version.
func (r *clusterRollout) catchUp(ctx workflow.Context) error {
	last := r.last
	if last == nil {
		return nil
	}
	r.last = nil // it is not caught up with twice
	at := &r.unit.Batches[last.index]
	phase, was := r.unit.Phase, at.Phase
	if err := r.advance(ctx, at, last.req); err != nil {
		return err
	}
	r.last, at.Phase = last, was
	r.set(ctx, phase, nil)
	return nil
}

// near is a call of an activity that is served near the cluster.
func near[Req, Res any](r *clusterRollout, a step.Activity[Req, Res], summary string, in Req) call[Res] {
	return ask(a, summary, in).near(r.in.Site)
}
