package unit

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/workflows/ask"
	"sluice.dev/sluice/workflows/shape"
	"sluice.dev/sluice/workflows/show"
	"sluice.dev/sluice/workflows/tell"
)

// orders are what the run has told a unit and the unit has yet to obey. Rollback goes before abort, abort before pause.
type orders struct {
	paused   bool
	frozen   *tell.Order // by a freeze, until that says so; nil where none does
	rollback bool
	abort    bool
	stop     bool
	skip     bool
	resumes  int // how often it was told to resume; a held unit waits for the next
	ends     int // how often it was told to end where it is; what nothing else interrupts gives up at the next
	hurries  int // how often it was told to end its soak
	who      string
	why      string
	retreat  *api.Ending // who wants the last batch taken back; nil where nobody does
	ending   *api.Ending // whose order ended the way forward, or gave the way back up
}

// serve answers queries and takes orders for as long as the unit lives.
func (r *machine) serve(ctx workflow.Context) error {
	err := workflow.SetQueryHandlerWithOptions(ctx, api.QueryStatus, func() (api.UnitStatus, error) { return r.unit, nil },
		workflow.QueryHandlerOptions{Description: "where the unit is and what it waits for"})
	if err != nil {
		return err
	}
	in := workflow.GetSignalChannelWithOptions(ctx, tell.SignalOrder, workflow.SignalChannelOptions{Description: "an order of the run"})
	workflow.GoNamed(ctx, "orders", func(ctx workflow.Context) {
		for {
			var o tell.Order
			in.Receive(ctx, &o)
			if o.Run == r.in.Run && o.Back == r.in.Back {
				r.take(o)
			}
		}
	})
	return nil
}

// take notes an order, and ends the activity that is under way where the order goes before it.
func (r *machine) take(o tell.Order) {
	interrupts := true
	if !slices.Contains([]string{tell.OrderFreeze, tell.OrderThaw, tell.OrderEndSoak, tell.OrderRetreat}, o.Kind) {
		r.orders.who, r.orders.why = o.Who, o.Reason
	}
	if slices.Contains([]string{tell.OrderAbort, tell.OrderRollback, tell.OrderStop, tell.OrderSkip}, o.Kind) {
		r.orders.ending = &api.Ending{By: o.Who, Reason: o.Reason}
	}
	switch o.Kind {
	case tell.OrderPause:
		interrupts = !r.orders.paused
		r.orders.paused = true
	case tell.OrderResume:
		r.orders.paused = false
		r.orders.resumes++
		interrupts = false
	case tell.OrderFreeze:
		interrupts = !o.Freeze.Boundary && !r.orders.stands()
		r.orders.frozen = &o
	case tell.OrderThaw:
		interrupts = false
		r.orders.frozen = nil
	case tell.OrderEndSoak:
		interrupts = r.soaks
		r.orders.hurries++
	case tell.OrderRetreat:
		interrupts = false
		r.takeRetreat(o)
	case tell.OrderAbort:
		r.orders.abort = true
		r.orders.ends++
	case tell.OrderRollback:
		r.orders.rollback = true
	case tell.OrderStop:
		r.orders.stop = true
		r.orders.ends++
	case tell.OrderSkip:
		r.orders.skip = true
		r.orders.ends++
	}
	if interrupts && r.cancel != nil && (!r.firm || slices.Contains([]string{tell.OrderAbort, tell.OrderStop, tell.OrderSkip}, o.Kind)) {
		r.interrupt()
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
	case o.skip:
		return errSkip
	}
	return nil
}

func (r *machine) ended() error { return r.orders.ended() }

// stands reports whether the unit is to stand still now: a person has paused it, or a freeze has.
func (o orders) stands() bool { return o.paused || o.frozen != nil && !o.frozen.Freeze.Boundary }

// standsFor is what it stands still for: first for whoever paused it.
func (o orders) standsFor() *api.Waiting {
	if o.paused {
		return &api.Waiting{Kind: api.WaitPerson, Name: "resume", Owner: o.who, Unmet: show.Reasons(api.Command{Reason: o.why})}
	}
	f := o.frozen
	if f == nil {
		return &api.Waiting{Kind: api.WaitRollback, Name: "batch"} // it was resumed before it had stopped
	}
	return &api.Waiting{
		Kind: api.WaitFreeze, Name: f.Freeze.Name, Until: f.Freeze.Until, Owner: "whoever may lift " + f.Freeze.Name,
		Unmet: []string{"by " + f.Who + ": " + f.Reason},
	}
}

// obey returns once the unit may go on. What stands still is disarmed, and armed again before it goes on.
func (r *machine) obey(ctx workflow.Context) error {
	if err := r.orders.ended(); err != nil {
		return err
	}
	still := func() bool { return r.orders.stands() || r.orders.retreat != nil }
	if !still() {
		return r.heed(ctx)
	}
	before := r.unit.Phase
	r.disarm(ctx)
	for still() {
		paused, frozen := r.orders.paused, r.orders.frozen
		err := r.standStill(ctx, show.Stand{
			Show: r.set, Phase: api.PhasePaused, Then: before, Waiting: r.orders.standsFor(),
			Until: func() bool { return !r.orders.stands() || r.orders.paused != paused || r.orders.frozen != frozen },
			Ends:  r.ended,
		})
		if err != nil {
			return err
		}
	}
	return r.arm(ctx)
}

// boundary is where a unit stands still that was told to end its batch first.
func (r *machine) boundary(ctx workflow.Context) error {
	f := r.orders.frozen
	if f == nil || !f.Freeze.Boundary {
		return nil
	}
	now := *f
	now.Freeze.Boundary = false
	r.orders.frozen = &now
	return r.obey(ctx)
}

// hold stops the unit in a phase that stands, until somebody decides. It returns nil when it was told to resume.
func (r *machine) hold(ctx workflow.Context, phase api.Phase, failure api.Check, at string) error {
	if err := r.orders.ended(); err != nil {
		return err
	}
	before := r.unit.Phase
	failure.Stopped = workflow.Now(ctx).UTC()
	r.unit.Failure, r.unit.FailedAt = &failure, at
	resumes := r.orders.resumes
	r.noteFailure(ctx)
	r.seeNodes(ctx, failure)
	r.disarm(ctx)
	r.troubled(ctx, inTrouble(failure))
	err := r.standStill(ctx, show.Stand{
		Show: r.tell, Phase: phase, Waiting: show.Undecided(failure), Then: before,
		Until:  func() bool { return r.orders.resumes > resumes },
		Ends:   r.ended,
		Leaves: func() { r.unit.Failure, r.unit.FailedAt = nil, "" },
	})
	if err != nil {
		return err
	}
	r.troubled(ctx, "")
	return r.arm(ctx)
}

// noteFailure has it written down that the unit stands where it failed: fuses count that, over all runs. The unit does not wait for it:
// how it ends is written down too.
func (r *machine) noteFailure(ctx workflow.Context) {
	if r.shape < shape.NotesFailures || r.in.Back || !r.unit.Failing() {
		return
	}
	note := step.FailureRequest{Ref: r.in.Ref, At: workflow.Now(ctx).UTC()}
	workflow.GoNamed(ctx, "note the failure", func(ctx workflow.Context) {
		_, _ = ask.For(step.NoteFailure, "note that the unit failed", note).Get(ctx)
	})
}

// disarm makes sure that no recreated pod gets the new template while the unit stands still. What keeps it from that is
// noted, and does not keep the unit from standing still.
func (r *machine) disarm(ctx workflow.Context) {
	r.watchNoMore() // what stands still is not looked at, and has other pods than it is to have
	for _, h := range r.held {
		if h.done {
			continue
		}
		state, err := must(ctx, r, near(r, step.Disarm, "disarm "+h.object, r.about(h)))
		if err != nil {
			r.unit.Checks = append(r.unit.Checks, api.Check{
				Name: "disarm " + h.object, At: api.AtDisarm, Verdict: api.Error, Message: ask.MessageOf(err),
			})
			continue
		}
		h.state, r.unit.Armed = state, state.Armed
	}
}

func (r *machine) arm(ctx workflow.Context) error {
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
	if r.retreat != nil && r.retreat.begun {
		return errAnew
	}
	if r.unit.Moved {
		r.watch(ctx)
	}
	return r.catchUp(ctx)
}

// catchUp moves the last batch again: pods that others made anew while the workload was disarmed have the old version.
func (r *machine) catchUp(ctx workflow.Context) error {
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
	if r.last, at.Phase = last, was; was.Final() {
		at.Phase = endOf(at)
	}
	r.set(ctx, phase, nil)
	return nil
}
