package run

import (
	"fmt"
	"slices"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/workflows/shape"
	"sluice.dev/sluice/workflows/show"
	"sluice.dev/sluice/workflows/tell"
)

// hearHolds hears which freezes hold the run, each time that they change. What takes a run back is held by none.
func (r *rollout) hearHolds(ctx workflow.Context) {
	if r.shape < shape.HearsOfFreezes || r.in.Back != nil {
		return
	}
	says := workflow.SignalChannelOptions{Description: "which freezes hold the run, all of them"}
	told := workflow.GetSignalChannelWithOptions(ctx, api.SignalHolds, says)
	workflow.GoNamed(ctx, "freezes", func(ctx workflow.Context) {
		for {
			var now api.Holds
			told.Receive(ctx, &now)
			r.hold(ctx, now)
		}
	})
}

// hold has the run stand still where freezes hold it now, and go on where they do no longer.
func (r *rollout) hold(ctx workflow.Context, now api.Holds) {
	if now.Revision <= r.state.Holds.Revision {
		return // it came twice, or late
	}
	before := r.state.Holds
	r.state.Holds = now
	r.inTurn++
	var orders []tell.Order
	units := map[int][]*unitRun{}
	for _, u := range r.openUnits() {
		o := frozenBy(now.Of(u.cluster))
		if u.back || u.paced || o == frozenBy(before.Of(u.cluster)) {
			continue
		}
		i := slices.Index(orders, o)
		if i < 0 {
			i, orders = len(orders), append(orders, o)
		}
		units[i] = append(units[i], u)
	}
	for i, o := range orders {
		r.tell(ctx, units[i], o)
	}
	r.refresh(ctx)
}

// frozenBy is what a unit that moves is told of its hold, nil where there is none.
func frozenBy(h *api.Hold) tell.Order {
	if h == nil || h.InFlight == api.Finish {
		return tell.Order{Kind: tell.OrderThaw, Who: api.BySluice}
	}
	return tell.Order{
		Kind: tell.OrderFreeze, Who: h.By, Reason: h.Reason,
		Freeze: tell.Freeze{Name: h.Freeze, Until: h.Until, Boundary: h.InFlight == api.PauseAtBoundary},
	}
}

// frozen are the states of units, where those that a freeze keeps from starting are Frozen.
func (r *rollout) frozen(units []plan.Unit, states []plan.State) []plan.State {
	for i, u := range units {
		if states[i] == plan.Pending && r.state.Holds.Of(u.Cluster) != nil {
			states[i] = plan.Frozen
		}
	}
	return states
}

// thawed returns once no freeze holds all of the run, or the run is ending.
func (r *rollout) thawed(ctx workflow.Context) error {
	for !r.ending() {
		h := r.state.Holds.Whole()
		if h == nil {
			return nil
		}
		r.state.Status.Waiting = thaw(ctx, r.state.Status.Waiting, []string{h.Why()}, *h)
		err := show.Stand{
			Show: r.show, Phase: api.PhasePaused, Waiting: r.state.Status.Waiting, Then: api.PhaseMoving,
			Until:  func() bool { return r.ending() || !same(r.state.Holds.Whole(), h) || r.state.Status.Waiting == nil },
			Leaves: func() { r.state.Status.Waiting = nil },
		}.Wait(ctx)
		if err != nil {
			return err
		}
	}
	return nil
}

func same(a, b *api.Hold) bool { return a != nil && a.Freeze == b.Freeze }

// waitsForThaw is what a stage waits for in which units are kept from starting by freezes alone; nil where none is.
func (r *rollout) waitsForThaw(ctx workflow.Context, st *api.StageStatus, now plan.Decision) *api.Waiting {
	var first *api.Hold
	var unmet []string
	for _, u := range st.Units {
		h := r.state.Holds.Of(u.Cluster)
		if u.Phase != api.PhasePending || h == nil || r.open[u.Cluster] != nil {
			continue
		}
		why := h.String()
		if first == nil {
			first = h
		}
		if h == first {
			why = h.Why()
		}
		if !slices.Contains(unmet, why) {
			unmet = append(unmet, why)
		}
	}
	if len(now.Frozen) == 0 || len(now.Start) > 0 || first == nil {
		return nil
	}
	return thaw(ctx, st.Waiting, append(unmet, api.Counted(len(now.Frozen), "cluster")+" cannot start"), *first)
}

// thaw is the wait for the end of a freeze; it goes on since when it went on before.
func thaw(ctx workflow.Context, before *api.Waiting, unmet []string, h api.Hold) *api.Waiting {
	since := workflow.Now(ctx).UTC()
	if before != nil && before.Kind == api.WaitFreeze {
		since = before.Since
	}
	return &api.Waiting{
		Kind: api.WaitFreeze, Name: h.Freeze, Since: since, Until: h.Until, Unmet: unmet, Owner: fmt.Sprintf("whoever may lift %s", h.Freeze),
	}
}
