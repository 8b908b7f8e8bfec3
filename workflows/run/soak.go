package run

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/workflows/ask"
	"sluice.dev/sluice/workflows/pace"
	"sluice.dev/sluice/workflows/shape"
	"sluice.dev/sluice/workflows/show"
)

// soak is the quiet time of a group or stage, in which checks keep looking at the units that have just arrived. Units
// soak here together; while a batch or a cluster soaks, it is the unit itself that looks.
type soak struct {
	what  string // "stage production"
	quiet time.Duration
	until time.Time
	stage *step.RunStage
	units []plan.Unit
	begun map[string]bool // clusters that were begun to be looked at; only looked up
	open  int             // units that were not looked at to the end
}

// soak waits, durably, until the quiet time is over and every unit was looked at to its end. A rollback or an abort ends
// it.
func (r *rollout) soak(ctx workflow.Context, quiet time.Duration, what string, p *step.RunStage, units []plan.Unit) error {
	if quiet <= 0 || r.ending() {
		return nil
	}
	s := &soak{what: what, quiet: quiet, until: workflow.Now(ctx).Add(quiet), stage: p, units: units, begun: map[string]bool{}}
	r.soaking = s
	defer func() { r.soaking = nil }()
	looks, stop := workflow.WithCancel(ctx)
	err := r.sitOut(ctx, looks, s)
	stop()
	if err == nil {
		err = workflow.Await(ctx, func() bool { return s.open == 0 })
	}
	r.show(ctx, api.PhaseMoving, nil)
	return err
}

// look begins to look at the units that have arrived: most before the soak, those that were out of reach in it. It reports
// how many are still on their way.
func (r *rollout) look(ctx workflow.Context, s *soak) (coming int) {
	for _, u := range s.units {
		unit := r.unit(u.Cluster)
		if run := r.open[u.Cluster]; run != nil && run.skipped == nil && unit.Phase != api.PhaseUnreachable {
			coming++
		}
		if s.begun[u.Cluster] || !s.stage.Looks && !s.stage.Watches || unit.Phase != api.PhaseSucceeded || !unit.Moved || unit.Detail == "" {
			continue
		}
		s.begun[u.Cluster] = true
		s.open++
		until := pace.LookAgain(ctx, s.until, s.quiet)
		workflow.GoNamed(ctx, "look at "+u.Path, func(ctx workflow.Context) {
			if r.shape >= shape.LooksApart {
				r.watchOver(ctx, s, u, until)
			} else {
				r.lookAt(ctx, s, u, until)
			}
			s.open--
			r.inTurn++
		})
	}
	return coming
}

// sitOut waits until a soak may end: its time is over, nobody is on the way, and every unit was looked at to the end but
// those out of reach that the stage bears.
func (r *rollout) sitOut(ctx, looks workflow.Context, s *soak) error {
	for !r.ending() {
		if err := r.unpaused(ctx); err != nil {
			return err
		}
		coming := r.look(looks, s)
		waiting := &api.Waiting{Kind: api.WaitSoak, Name: s.what, Since: workflow.Now(ctx).UTC(), Until: s.until.UTC()}
		left := max(0, s.until.Sub(workflow.Now(ctx)))
		unseen, borne := r.unseen(s)
		switch {
		case left == 0 && s.open == borne && coming == 0:
			return nil
		case left == 0:
			waiting.Until, waiting.Unmet = time.Time{}, []string{fmt.Sprintf("%d units to look at once more", s.open-borne+coming)}
		}
		if len(unseen) > 0 {
			waiting.Kind, waiting.Unmet, waiting.Owner = api.WaitDecision, unseen, show.AnyDecider
		}
		r.show(ctx, api.PhaseSoaking, waiting)
		turn := r.inTurn
		changed := func() bool { return r.inTurn != turn || r.ending() || r.state.Paused }
		var err error
		if left == 0 {
			err = workflow.Await(ctx, changed)
		} else {
			timer := workflow.AwaitOptions{Timeout: pace.WholeSeconds(left), TimerOptions: workflow.TimerOptions{Summary: "soak after " + s.what}}
			_, err = workflow.AwaitWithOptions(ctx, timer, changed)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// unseen says which units keep a soak from ending, and how many are out of reach that the stage bears.
func (r *rollout) unseen(s *soak) (unseen []string, borne int) {
	var away []string
	soaking := 0 // of those away
	for _, u := range s.stage.AllUnits() {
		switch unit := r.unit(u.Cluster); {
		case unit.Phase == api.PhaseHeld && r.open[u.Cluster] == nil:
			unseen = append(unseen, fmt.Sprintf("%s stands at %s: %s", u.Path, unit.Failure.Name, unit.Failure.Message))
		case unit.Phase == api.PhaseUnreachable:
			away = append(away, fmt.Sprintf("%s is out of reach; %d may be", u.Path, s.stage.MaxUnreachable))
			if r.open[u.Cluster] == nil {
				soaking++
			}
		}
	}
	if len(away) <= s.stage.MaxUnreachable {
		return unseen, soaking
	}
	return append(unseen, away...), 0
}

// lookAt looks at a unit until its time is over. A check that does not pass is a failure of the unit, as if it still moved.
func (r *rollout) lookAt(ctx workflow.Context, s *soak, u plan.Unit, until time.Time) {
	unit := r.unit(u.Cluster)
	ref := r.ref(u)
	misses := 0
	for unit.Phase == api.PhaseSucceeded && ctx.Err() == nil {
		left := until.Sub(workflow.Now(ctx))
		if left <= 0 {
			return
		}
		req := step.ObserveRequest{Ref: ref, For: left, Record: unit.Detail}
		seen, err := ask.For(step.Observe, "look at "+u.Path+" while "+s.what+" soaks", req).Near(u.Site).Get(ctx)
		bad, held := plan.FirstBad(seen.Checks)
		switch {
		case ctx.Err() != nil || err == nil && !held:
			return
		case ask.CodeOf(err) == fault.Unreachable:
			misses++
			r.outOfReach(ctx, unit, u, ref, err, misses)
		case err != nil:
			r.standInSoak(ctx, unit, u, s.what, api.Check{Name: "watch during soak", Verdict: api.Error, Message: ask.MessageOf(err)})
		default:
			r.standInSoak(ctx, unit, u, s.what, bad)
		}
		until = pace.LookAgain(ctx, until, s.quiet)
	}
	r.settleSoaked(ctx, unit)
}

// outOfReach waits until a unit's cluster answers again.
func (r *rollout) outOfReach(ctx workflow.Context, unit *api.UnitStatus, u plan.Unit, ref step.Ref, cause error, misses int) {
	_, _ = ask.For(step.Unobserved, "note that "+u.Cluster+" is out of reach", ref).Get(ctx)
	r.mark(ctx, unit, api.PhaseUnreachable, &api.Waiting{
		Kind: api.WaitCluster, Name: u.Cluster, Since: workflow.Now(ctx).UTC(), Unmet: []string{ask.MessageOf(cause)},
	})
	back := ask.For(step.Reachable, "wait for "+u.Cluster, ref).Near(u.Site)
	for _, err := back.Get(ctx); ctx.Err() == nil && unit.Phase == api.PhaseUnreachable; _, err = back.Get(ctx) {
		if workflow.Sleep(ctx, pace.BackOff(misses)) == nil && err == nil && unit.Phase == api.PhaseUnreachable {
			r.mark(ctx, unit, api.PhaseSucceeded, nil)
			return
		}
	}
}

// standInSoak holds a unit at a check that did not pass, until the run is resumed. One whose failure the stage bears
// ends as failed.
func (r *rollout) standInSoak(ctx workflow.Context, unit *api.UnitStatus, u plan.Unit, what string, bad api.Check) {
	bad.At, bad.Stopped = api.AtSoakOf(what), workflow.Now(ctx).UTC()
	unit.Failure, unit.FailedAt = r.witnessed(&bad), unit.Path
	r.seeNodes(ctx, unit, u)
	why := show.Undecided(bad)
	why.Since = workflow.Now(ctx).UTC()
	resumes := r.resumes
	here := show.Stand{
		Show:  func(ctx workflow.Context, phase api.Phase, waiting *api.Waiting) { r.mark(ctx, unit, phase, waiting) },
		Phase: api.PhaseHeld, Waiting: why, Then: api.PhaseSucceeded,
		Until:  func() bool { return r.resumes > resumes },
		Leaves: func() { unit.Failure, unit.FailedAt = nil, "" },
		Ends:   func() error { return r.leftOut(unit) },
	}
	here.Stop(ctx)
	if bad.Verdict == api.Failed {
		if borne, _ := r.decide(ctx, unit); borne {
			r.mark(ctx, unit, api.PhaseFailed, nil)
			return
		}
	}
	_ = here.Stay(ctx)
}

// seeNodes has it kept what happened to the cluster's nodes before a unit failed that had arrived. Nobody waits for it.
func (r *rollout) seeNodes(ctx workflow.Context, unit *api.UnitStatus, u plan.Unit) {
	if r.shape < shape.SeesNodes {
		return
	}
	req := step.NodesRequest{Ref: r.ref(u), Failed: unit.Failure.Stopped, Record: unit.Detail}
	workflow.GoNamed(ctx, "nodes of "+u.Cluster, func(ctx workflow.Context) {
		ctx, cancel := workflow.NewDisconnectedContext(ctx) // the soak may end with this failure
		defer cancel()
		seen, err := ask.For(step.SeeNodes, "what happened to the nodes of "+u.Cluster, req).Near(u.Site).Get(ctx)
		if err == nil {
			unit.Nodes = seen
		}
	})
}

// witnessed is a check with what it saw, as long as few units have one: no unit's own record has it.
func (r *rollout) witnessed(bad *api.Check) *api.Check {
	short, kept := show.Brief(bad), 0
	for i := range r.state.Status.Stages {
		for _, u := range r.state.Status.Stages[i].Units {
			if u.Failure != nil && len(u.Failure.Seen) > 0 {
				kept++
			}
		}
	}
	if kept < pace.Tuned().MostWitnessed {
		short.Seen = bad.Seen
	}
	return short
}

// settleSoaked says what a unit is that the soak ended on: one that stood at a check has failed, one that was out of reach
// had arrived, and nobody knows more.
func (r *rollout) settleSoaked(ctx workflow.Context, unit *api.UnitStatus) {
	switch unit.Phase {
	case api.PhaseHeld:
		r.mark(ctx, unit, api.PhaseFailed, nil)
	case api.PhaseUnreachable:
		unit.Checks = append(unit.Checks, api.Check{
			Name: "soak", At: api.AtSoak, Verdict: api.Inconclusive, Advisory: true, Message: "the cluster was out of reach when the soak ended",
		})
		r.mark(ctx, unit, api.PhaseSucceeded, nil)
	}
}

// mark says where a unit is whose workflow has ended.
func (r *rollout) mark(ctx workflow.Context, unit *api.UnitStatus, phase api.Phase, waiting *api.Waiting) {
	unit.Phase, unit.Waiting = phase, waiting
	r.inTurn++
	r.refresh(ctx)
}
