package run

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/workflows/ask"
	"sluice.dev/sluice/workflows/pace"
	"sluice.dev/sluice/workflows/shape"
	"sluice.dev/sluice/workflows/show"
	"sluice.dev/sluice/workflows/tell"
)

// ending reports whether no further unit may start.
func (r *rollout) ending() bool { return r.want.abort || len(r.want.rollback) > 0 }

// settled waits until every unit that was told to stop has ended. One that is out of reach, or on its way back, is not
// waited for: it holds nobody up.
func (r *rollout) settled(ctx workflow.Context) error {
	return workflow.Await(ctx, func() bool {
		return !slices.ContainsFunc(r.openUnits(), func(u *unitRun) bool {
			return !u.back && r.unit(u.cluster).Phase != api.PhaseUnreachable
		})
	})
}

// finish obeys what ended the run early, and waits for every unit to end. Those that stayed out of reach are told to; one
// that is owed a rollback, or to be disarmed by an abort, is not: the run stays open until its cluster is back.
func (r *rollout) finish(ctx workflow.Context) {
	for {
		_ = r.settled(ctx)
		if back := r.goingBack(); len(back) > 0 {
			r.takeBack(ctx, back)
			continue
		}
		if r.mayComeBack(ctx) {
			continue
		}
		for _, u := range r.openUnits() {
			if owed := r.want.abort && !u.back && r.shape >= shape.AbortsOwed; !owed && (!u.back || r.want.abort) {
				r.tellUnit(ctx, u, tell.Order{Kind: tell.OrderStop, Who: api.BySluice, Reason: "the run has ended"})
			}
		}
		turn := r.inTurn
		_ = workflow.Await(ctx, func() bool { return len(r.openUnits()) == 0 || r.inTurn != turn })
		if len(r.openUnits()) == 0 && len(r.goingBack()) == 0 {
			if !r.last(ctx) || !r.tidied(ctx) {
				turn = r.inTurn
				_ = workflow.Await(ctx, func() bool { return r.inTurn != turn })
				continue
			}
			r.closing = true
			r.dismiss(ctx)
			return
		}
	}
}

// mayComeBack waits for a cluster that was lost a moment ago, as by a restart of its API server, until something happens. It is false
// where there is none, and where somebody ended the run.
func (r *rollout) mayComeBack(ctx workflow.Context) bool {
	if r.shape < shape.WaitsForTheLost || r.ending() {
		return false
	}
	var lost time.Time // the last one
	for _, u := range r.openUnits() {
		if w := r.unit(u.cluster).Waiting; !u.back && w != nil && w.Kind == api.WaitCluster && w.Since.After(lost) {
			lost = w.Since
		}
	}
	left := lost.Add(pace.Tuned().ComesBack).Sub(workflow.Now(ctx))
	if left <= 0 {
		return false
	}
	turn := r.inTurn
	_, err := workflow.AwaitWithTimeout(ctx, left, func() bool { return r.inTurn != turn || r.ending() })
	return err == nil
}

// close computes the end from what the units recorded, and writes it down.
func (r *rollout) close(ctx workflow.Context) (api.RunStatus, error) {
	s := &r.state.Status
	phase := s.TaskReport.Outcome(plan.Outcome(append(slices.Clip(s.Stages), api.StageStatus{Checks: s.Checks})), s.Ending != nil)
	for i := range s.Stages {
		st := &s.Stages[i]
		for j := range st.Units {
			if st.Units[j].Phase == api.PhasePending {
				st.Units[j].Phase = api.PhaseSkipped
			}
		}
		if st.Phase != api.PhaseSkipped {
			st.Phase = plan.Outcome([]api.StageStatus{*st})
			if st.Rejected == nil && !slices.ContainsFunc(st.Units, func(u api.UnitStatus) bool { return u.Phase != api.PhaseSkipped }) {
				st.Phase = api.PhaseSkipped
			}
		}
		st.Waiting = nil
	}
	if r.in.Back == nil && r.plan.Tasks.Any() {
		s.Results, s.ResultsLeftOut = r.plan.Tasks.Yielded(s.Tasks)
	}
	s.Ended = workflow.Now(ctx).UTC()
	r.show(ctx, phase, nil)
	dctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	if err := workflow.Await(dctx, func() bool { return !r.freezing }); err != nil {
		return *s, fmt.Errorf("cannot freeze what run %s took back: %w", s.Name, err)
	}
	if _, err := ask.For(step.SaveRun, "record the run", *s).Get(dctx); err != nil {
		return *s, fmt.Errorf("cannot record run %s: %w", s.Name, err)
	}
	// Whoever has just given a command is to hear its answer.
	if err := r.takeBackLate(dctx); err != nil || r.shape < shape.ClosesAsItEnded {
		return *s, err
	}
	return *s, show.Closing(s.Phase, s.Back != "", s.Ending, show.RunEnd(s), *s)
}

func (r *rollout) continueAsNew(ctx, outer workflow.Context) error {
	if err := r.attentive(ctx); err != nil {
		return err
	}
	if outer.Err() != nil {
		return workflow.Await(ctx, r.ending)
	}
	if r.ending() {
		return nil
	}
	next := r.in
	next.State = &r.state
	return workflow.NewContinueAsNewError(ctx, api.RolloutName, next)
}
