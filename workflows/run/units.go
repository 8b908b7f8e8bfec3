package run

import (
	"cmp"
	"errors"
	"time"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/workflows/pace"
	"sluice.dev/sluice/workflows/shape"
	"sluice.dev/sluice/workflows/tell"
)

// start opens a unit's workflow and follows it to its end in a coroutine of its own.
func (r *rollout) start(ctx workflow.Context, stage string, u plan.Unit) {
	id := api.UnitWorkflowID(u.Path, r.plan.Subject)
	run := &unitRun{id: id, cluster: u.Cluster, back: r.backing, paced: r.backing}
	r.open[u.Cluster] = run
	unit := r.unit(u.Cluster)
	run.before = *unit
	unit.Phase, unit.Started, unit.Workflow = api.PhaseWaiting, workflow.Now(ctx).UTC(), id
	unit.Ended, unit.Failure, unit.FailedAt, unit.Waiting, unit.Detail, unit.Ending = time.Time{}, nil, "", nil, "", nil
	if !r.backing {
		unit.Nodes = ""
	} else {
		unit.Before, unit.Cause, unit.CauseAt = run.before.Detail, run.before.Failure, run.before.FailedAt
	}
	r.state.Status.Moves = append(r.state.Status.Moves, u.Path)
	back := r.backing
	ref := r.ref(u)
	if ref.Back = back; back {
		ref.BackOf = r.backOf()
	}
	in := tell.ClusterInput{
		Ref: ref, Stage: stage, Group: u.Group, Path: u.Path, Site: u.Site,
		Parent: workflow.GetInfo(ctx).WorkflowExecution.ID, Closes: r.shape >= shape.ClosesAsItEnded,
	}
	if r.shape >= shape.TellsChanges {
		in.TellEvery = pace.Tuned().UnitTells(r.stageOf(stage).Units())
	}
	if p := r.partOf(ctx, stage, u.Cluster); p != nil {
		in.Parent, in.Paused, run.part = p.id, r.state.Paused && !in.Back, p
		p.open++
		p.post(tell.Errand{Start: &in})
		return
	}
	workflow.GoNamed(ctx, u.Path, func(ctx workflow.Context) { r.ended(ctx, run, r.follow(ctx, in, run)) })
}

// ref addresses a unit's cluster.
func (r *rollout) ref(u plan.Unit) step.Ref {
	return step.Ref{Run: r.in.Run, Plan: r.in.Plan, Subject: r.plan.Subject, Cluster: u.Cluster, Context: u.Context}
}

// ended keeps how a unit ended.
func (r *rollout) ended(ctx workflow.Context, run *unitRun, end api.UnitStatus) {
	was := run.before
	end.Moved, end.Before, end.Nodes = end.Moved || was.Moved, was.Detail, cmp.Or(end.Nodes, r.unit(run.cluster).Nodes)
	switch {
	case end.Failure == nil:
		end.Failure, end.FailedAt = was.Failure, was.FailedAt // why it went back
	case end.Cause == nil:
		end.Cause, end.CauseAt = was.Failure, was.FailedAt
	}
	if run.back && !run.paced && end.Phase == api.PhaseFailed && r.shape >= shape.WaysBackEverywhere {
		r.tried[run.cluster] = true // it said what cannot go back, and a second try would meet the same
	}
	r.spare(&end)
	*r.unit(run.cluster) = end
	delete(r.open, run.cluster)
	if run.part != nil {
		run.part.open--
	}
	r.inTurn++
	r.refresh(ctx)
}

// crashed is a unit whose workflow ended, and nobody knows how.
func (r *rollout) crashed(ctx workflow.Context, cluster, cause string) api.UnitStatus {
	unit := *r.unit(cluster)
	unit.Phase, unit.Ended, unit.Moved = api.PhaseFailed, workflow.Now(ctx).UTC(), true
	unit.Failure = &api.Check{Name: "unit workflow", At: api.AtUnit, Verdict: api.Error, Message: cause}
	return unit
}

func lockedBy(ctx workflow.Context, id string) *api.Waiting {
	return &api.Waiting{Kind: api.WaitLock, Name: id, Since: workflow.Now(ctx).UTC(), Unmet: []string{"another run has it"}}
}

// follow runs a unit's workflow to its end.
func (r *rollout) follow(ctx workflow.Context, in tell.ClusterInput, run *unitRun) api.UnitStatus {
	var before api.UnitStatus // it was locked
	end, err := run.follow(workflow.WithChildOptions(ctx, unitOptions(ctx, r.subject(), in)), holder{
		input: func() tell.ClusterInput {
			in.Paused = r.state.Paused && !in.Back
			return in
		},
		begun: func(ctx workflow.Context) { r.unlock(ctx, in.Cluster) },
		locked: func(ctx workflow.Context) {
			u := r.unit(in.Cluster)
			before = *u
			u.Phase, u.Waiting = api.PhaseLocked, lockedBy(ctx, run.id)
			r.refresh(ctx)
		},
		unwanted: func() bool { return r.want.abort || r.ending() && !run.back || run.skipped != nil },
	})
	switch {
	case err == nil:
		return end
	case errors.Is(err, errGaveUp):
		return run.gaveUp(before)
	}
	return r.crashed(ctx, in.Cluster, err.Error())
}

// gaveUp is a unit that ended before its workflow began.
func (u *unitRun) gaveUp(unit api.UnitStatus) api.UnitStatus {
	unit.Phase, unit.Waiting = api.PhaseAborted, nil
	if u.skipped != nil {
		unit.Phase, unit.Ending = api.PhaseSkipped, u.skipped
	}
	return unit
}

// unlock says that a unit does not wait for another run any more.
func (r *rollout) unlock(ctx workflow.Context, cluster string) {
	u := r.unit(cluster)
	if u.Phase != api.PhaseLocked {
		return
	}
	u.Phase, u.Waiting = api.PhaseWaiting, nil
	if r.shape >= shape.PhasesSort {
		r.refresh(ctx)
	}
}
