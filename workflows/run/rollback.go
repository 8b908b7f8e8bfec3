package run

import (
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/workflows/pace"
	"sluice.dev/sluice/workflows/shape"
	"sluice.dev/sluice/workflows/show"
	"sluice.dev/sluice/workflows/tell"
)

// wantRollback notes that a part of the run, or all of it, goes back. Units in the scope that are open go back at once;
// those that have ended follow at the pace of a rollback. Where all of the run goes back nothing else starts.
func (r *rollout) wantRollback(ctx workflow.Context, scope api.Scope, ending api.Ending, why string) {
	who := ending.By
	if !r.rollingBack() {
		r.state.Status.Ending = &ending
	}
	r.want.rollback, r.want.abort = append(r.want.rollback, scope), false
	r.state.Paused, r.state.ByPerson = false, false
	r.state.Status.Waiting = &api.Waiting{
		Kind: api.WaitRollback, Name: scope.String(), Since: workflow.Now(ctx).UTC(), Unmet: []string{why}, Owner: who,
	}
	for _, st := range r.state.Status.Stages {
		for _, u := range st.Units {
			if scope.Holds(u) {
				delete(r.tried, u.Cluster)
			}
		}
	}
	var back, stop, first []*unitRun
	for _, u := range r.openUnits() {
		switch {
		case u.paced:
		case scope.Holds(*r.unit(u.cluster)) && r.triedBefore(u):
			first = append(first, u)
		case scope.Holds(*r.unit(u.cluster)):
			u.back = true
			back = append(back, u)
		case !u.back:
			stop = append(stop, u)
		}
	}
	r.inTurn++
	r.freezeVersion(ctx, who, ending.Reason)
	r.show(ctx, api.PhaseRollingBack, r.state.Status.Waiting)
	r.tell(ctx, back, tell.Order{Kind: tell.OrderRollback, Who: who, Reason: ending.Reason})
	r.tell(ctx, first, tell.Order{Kind: tell.OrderAbort, Who: who, Reason: "all of it goes back once it stands, of earlier attempts too"})
	r.tell(ctx, stop, tell.Order{Kind: tell.OrderAbort, Who: who, Reason: "the run is rolled back in part: " + scope.String()})
}

// triedBefore reports whether an earlier attempt may have left something in the cluster of an open unit. The unit itself knows only
// what it has done: it stops first, and a way back that compares all of it follows.
func (r *rollout) triedBefore(u *unitRun) bool { return u.before.Moved || r.in.Retry != nil }

// goingBack lists the clusters that are to go back, that moved and have ended there, and to which no rollback has turned
// yet, in plan order.
func (r *rollout) goingBack() []string {
	if r.want.abort {
		return nil
	}
	var out []string
	for _, scope := range r.want.rollback {
		for _, c := range r.endedIn(scope) {
			if !r.tried[c] && !slices.Contains(out, c) {
				out = append(out, c)
			}
		}
	}
	return out
}

// endedIn lists the clusters of a scope that moved, have ended and can go back, in plan order.
func (r *rollout) endedIn(scope api.Scope) []string {
	var out []string
	for _, st := range r.state.Status.Stages {
		for _, u := range st.Units {
			there := r.open[u.Cluster] == nil && u.Moved && u.Phase != api.PhaseRolledBack && u.Superseded == ""
			if there && scope.Holds(u) && r.canGoBack(u.Cluster) {
				out = append(out, u.Cluster)
			}
		}
	}
	return out
}

// wayBack is what ran in a cluster before the plan.
func (r *rollout) wayBack(cluster string) plan.WayBack {
	u, _, ok := r.lean().Unit(cluster)
	if !ok {
		return plan.WayBack{}
	}
	return u.WayBack
}

// canGoBack reports whether a cluster that has ended can go back. What was found can be given back since pre-images are kept.
func (r *rollout) canGoBack(cluster string) bool {
	return r.wayBack(cluster).Exists() || r.shape >= shape.WaysBackEverywhere
}

// takeBack moves clusters back: the first alone, then a third at once; the second that fails holds the rest until the
// run is resumed.
func (r *rollout) takeBack(ctx workflow.Context, clusters []string) {
	clusters = slices.DeleteFunc(slices.Clone(clusters), func(c string) bool {
		return r.open[c] != nil || r.unit(c) == nil || !r.canGoBack(c)
	})
	if len(clusters) == 0 || r.want.abort {
		return
	}
	for _, c := range clusters {
		r.tried[c] = true
	}
	window, err := plan.Backward(r.lean(), clusters)
	if err != nil {
		r.state.Status.Waiting = &api.Waiting{Kind: api.WaitRollback, Since: workflow.Now(ctx).UTC(), Unmet: []string{err.Error()}}
		return
	}
	r.backing = true
	defer func() { r.backing = false }()
	r.show(ctx, api.PhaseRollingBack, r.state.Status.Waiting)
	was := map[string]api.Phase{}
	for _, c := range clusters {
		u := r.unit(c)
		was[c] = u.Phase
		u.Phase = api.PhasePending
	}
	defer func() {
		for _, c := range clusters {
			if u := r.unit(c); u.Phase == api.PhasePending {
				u.Phase = was[c] // its turn to go back never came
			}
		}
	}()
	apart := r.apart()
	for !r.want.abort {
		now := window.Next(r.backStates(window.Group.Units))
		if now.Done {
			return // those out of reach are owed
		}
		for _, i := range now.Start {
			if u := window.Group.Units[i]; apart(ctx, u.Cluster, len(now.Start)) {
				r.start(ctx, r.unit(u.Cluster).Stage, u)
			}
		}
		if now.Held != "" && !r.moving(window.Group.Units) {
			if !r.brake(ctx, &window, now.Held) {
				return
			}
			continue
		}
		r.refresh(ctx)
		turn := r.inTurn
		if workflow.Await(ctx, func() bool { return r.inTurn != turn || r.want.abort }) != nil {
			return
		}
	}
}

// apart has clusters that may go back at once begin a little apart, so that they do not all ask at once for what they share. It
// reports whether one begins now; the loop turns again when its time has come.
func (r *rollout) apart() func(ctx workflow.Context, cluster string, together int) bool {
	begins := map[string]time.Time{}
	return func(ctx workflow.Context, cluster string, together int) bool {
		if r.shape < shape.RollbacksSpread {
			return true
		}
		now := workflow.Now(ctx)
		at, known := begins[cluster]
		if !known {
			at = now
			if together > 1 {
				at = now.Add(pace.Spread(r.in.Run, cluster))
				workflow.GoNamed(ctx, "begin to take "+cluster+" back", func(ctx workflow.Context) {
					if workflow.Sleep(ctx, at.Sub(now)) == nil {
						r.inTurn++
					}
				})
			}
			begins[cluster] = at
		}
		return !now.Before(at)
	}
}

// moving reports whether one of these units is open and within reach.
func (r *rollout) moving(units []plan.Unit) bool {
	return slices.ContainsFunc(units, func(u plan.Unit) bool {
		return r.open[u.Cluster] != nil && r.unit(u.Cluster).Phase != api.PhaseUnreachable
	})
}

// brake holds a rollback whose units fail until somebody resumes it (one more may fail then) or aborts it.
func (r *rollout) brake(ctx workflow.Context, window *plan.Window, why string) bool {
	r.pause(&api.Waiting{
		Kind: api.WaitDecision, Name: "rollback", Since: workflow.Now(ctx).UTC(), Unmet: []string{why}, Owner: "whoever may resume or abort",
	})
	_ = show.Stand{
		Show: r.show, Phase: api.PhaseHeld, Waiting: r.state.Status.Waiting, Then: api.PhaseRollingBack,
		Until: func() bool { return !r.state.Paused || r.want.abort },
	}.Wait(ctx)
	window.MaxFailures++
	return !r.want.abort
}

// backStates is where units are on their way back.
func (r *rollout) backStates(units []plan.Unit) []plan.State {
	out := make([]plan.State, len(units))
	for i, u := range units {
		out[i] = plan.StateOfBack(r.unit(u.Cluster).Phase)
	}
	return out
}

// lean is the plan as far as the order of its units goes.
func (r *rollout) lean() *plan.Plan {
	p := &plan.Plan{Subject: r.plan.Subject, Version: r.plan.Version}
	for _, s := range r.plan.Stages {
		p.Stages = append(p.Stages, *s.Stage())
	}
	return p
}

// backOf is the run whose creations a rollback takes back.
func (r *rollout) backOf() string {
	if r.in.Back != nil {
		return r.in.Back.Run
	}
	return r.in.Run
}
