package workflows

import (
	"fmt"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
)

// start opens a unit's workflow and follows it to its end in a coroutine of its own.
func (r *rollout) start(ctx workflow.Context, stage string, u plan.Unit) {
	id := api.UnitWorkflowID(u.Path, r.plan.Component)
	run := &unitRun{id: id, cluster: u.Cluster, back: r.backing, paced: r.backing}
	r.open[u.Cluster] = run
	unit := r.unit(u.Cluster)
	run.before = *unit
	unit.Phase, unit.Started, unit.Workflow = api.PhaseWaiting, workflow.Now(ctx).UTC(), id
	unit.Ended, unit.Failure, unit.FailedAt, unit.Waiting, unit.Detail, unit.Ending = time.Time{}, nil, "", nil, "", nil
	if r.backing {
		unit.Before, unit.Cause, unit.CauseAt = run.before.Detail, run.before.Failure, run.before.FailedAt
	}
	r.state.Status.Moves = append(r.state.Status.Moves, u.Path)
	back := r.backing
	ref := step.Ref{
		Run: r.in.Run, Plan: r.in.Plan, Component: r.plan.Component, Cluster: u.Cluster, Context: u.Context, Back: back,
	}
	if ref.Back {
		ref.BackOf = r.backOf()
	}
	in := ClusterInput{
		Ref: ref, Stage: stage, Group: u.Group, Path: u.Path, Site: u.Site,
		Parent: workflow.GetInfo(ctx).WorkflowExecution.ID, Closes: r.shape >= closesAsItEnded,
	}
	if r.shape >= tellsChanges {
		in.TellEvery = tuned().tellEvery(r.stageOf(stage).Units())
	}
	if p := r.partOf(ctx, stage, u.Cluster); p != nil {
		in.Parent, in.Paused, run.part = p.id, r.state.Paused && !in.Back, p
		p.open++
		p.post(errand{Start: &in})
		return
	}
	workflow.GoNamed(ctx, u.Path, func(ctx workflow.Context) { r.ended(ctx, run, r.follow(ctx, in, run)) })
}

// ended keeps how a unit ended.
func (r *rollout) ended(ctx workflow.Context, run *unitRun, end api.UnitStatus) {
	was := run.before
	end.Moved, end.Before = end.Moved || was.Moved, was.Detail
	switch {
	case end.Failure == nil:
		end.Failure, end.FailedAt = was.Failure, was.FailedAt // why it went back
	case end.Cause == nil:
		end.Cause, end.CauseAt = was.Failure, was.FailedAt
	}
	if run.back && !run.paced && end.Phase == api.PhaseFailed && r.shape >= waysBackEverywhere {
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
	unit.Failure = &api.Check{Name: "unit workflow", At: "unit", Verdict: api.Error, Message: cause}
	return unit
}

func lockedBy(ctx workflow.Context, id string) *api.Waiting {
	return &api.Waiting{Kind: "lock", Name: id, Since: workflow.Now(ctx).UTC(), Unmet: []string{"another run has it"}}
}

func unitOptions(ctx workflow.Context, of subject, in ClusterInput) workflow.ChildWorkflowOptions {
	action := fmt.Sprintf("%s to %s %s", in.Path, of.Component, of.Version)
	if in.Back {
		action = fmt.Sprintf("%s back from %s %s", in.Path, of.Component, of.Version)
	}
	return workflow.ChildWorkflowOptions{
		WorkflowID: api.UnitWorkflowID(in.Path, of.Component), TaskQueue: workflow.GetInfo(ctx).TaskQueueName, StaticSummary: action,
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		ParentClosePolicy:     enumspb.PARENT_CLOSE_POLICY_REQUEST_CANCEL,
		WaitForCancellation:   true,
		TypedSearchAttributes: temporal.NewSearchAttributes(
			attrComponent.ValueSet(of.Component), attrVersion.ValueSet(of.Version), attrPipeline.ValueSet(of.Pipeline),
			attrStage.ValueSet(in.Stage), attrGroup.ValueSet(in.Group), attrCluster.ValueSet(in.Cluster),
			attrPlanHash.ValueSet(in.Plan), attrPhase.ValueSet(string(api.PhasePending)),
		),
	}
}

// follow runs the unit's workflow to its end. A unit that another run holds is asked for again until it is free.
func (r *rollout) follow(ctx workflow.Context, in ClusterInput, run *unitRun) api.UnitStatus {
	ctx = workflow.WithChildOptions(ctx, unitOptions(ctx, r.subject(), in))
	for {
		in.Paused = r.state.Paused && !in.Back
		child := workflow.ExecuteChildWorkflow(ctx, api.ClusterRolloutName, in)
		var end api.UnitStatus
		var begun workflow.Execution
		err := child.GetChildWorkflowExecution().Get(ctx, &begun)
		if err == nil {
			run.run = begun.RunID
			r.unlock(ctx, in.Cluster)
			run.tellOwed(ctx)
			err = child.Get(ctx, &end)
		}
		if err == nil || api.Ended(err, &end) {
			return end
		}
		unit := *r.unit(in.Cluster)
		if !temporal.IsWorkflowExecutionAlreadyStartedError(err) {
			return r.crashed(ctx, in.Cluster, err.Error())
		}
		u := r.unit(in.Cluster)
		u.Phase = api.PhaseLocked
		u.Waiting = lockedBy(ctx, run.id)
		r.refresh(ctx)
		if !r.unlocked(ctx, run) {
			unit.Phase, unit.Waiting = api.PhaseAborted, nil
			return unit
		}
	}
}

// unlock says that a unit does not wait for another run any more.
func (r *rollout) unlock(ctx workflow.Context, cluster string) {
	u := r.unit(cluster)
	if u.Phase != api.PhaseLocked {
		return
	}
	u.Phase, u.Waiting = api.PhaseWaiting, nil
	if r.shape >= phasesSort {
		r.refresh(ctx)
	}
}

// unlocked waits until the workflow that holds a unit has closed; false where the run ends before that.
func (r *rollout) unlocked(ctx workflow.Context, run *unitRun) bool {
	ctx, stop := workflow.WithCancel(ctx)
	defer stop()
	return freed(ctx, run.id, func() bool { return r.want.abort || r.ending() && !run.back })
}

// freed waits until no workflow of an ID is open; false where that is not wanted any more before.
func freed(ctx workflow.Context, id string, unwanted func() bool) bool {
	free := ask(step.Closed, "wait for the run that holds "+id, id).start(ctx)
	_ = workflow.Await(ctx, func() bool { return free.ready() || unwanted() })
	if !free.ready() {
		return false
	}
	_, err := free.get(ctx)
	return err == nil
}

// heed takes a unit's report: it keeps what it says, and decides about a failure.
func (r *rollout) heed(ctx workflow.Context, rep report) {
	if rep.Look {
		r.heedLook(ctx, rep)
		return
	}
	u, run := r.unit(rep.Cluster), r.open[rep.Cluster]
	if u == nil || run == nil || run.heardLater(rep) {
		return
	}
	u.Phase, u.Waiting, u.Moved = rep.Phase, rep.Waiting, rep.Moved
	u.Failure, u.FailedAt = rep.Failure, rep.FailedAt
	r.spare(u)
	r.inTurn++
	if !rep.Phase.Stands() {
		run.decided = false
	}
	if rep.Phase.Stands() && run.paced {
		// It does not keep the others from going back: it ends here, and the second one that does so brakes the rollback.
		r.tellUnit(ctx, run, order{Kind: orderStop, Who: api.BySluice, Reason: "it cannot go back as it is"})
	}
	if !r.ending() && !run.back && rep.Phase == api.PhaseHeld && rep.Failure != nil && rep.Failure.Verdict == api.Failed && !run.decided {
		run.decided = true
		if borne, why := r.decide(ctx, u); borne {
			r.tellUnit(ctx, run, order{Kind: orderStop, Who: api.BySluice, Reason: why})
		}
	}
	r.refresh(ctx)
}

// heardLater reports whether a report says how things were before the last one, or is of a unit that has ended.
func (u *unitRun) heardLater(rep report) bool {
	if rep.Number == 0 {
		return false
	}
	if u.run != "" && rep.Execution != u.run || rep.Number <= u.heard {
		return true
	}
	u.heard = rep.Number
	return false
}

// stageOf is the stage of a name.
func (r *rollout) stageOf(name string) *step.RunStage {
	return &r.plan.Stages[slices.IndexFunc(r.plan.Stages, func(s step.RunStage) bool { return s.Name == name })]
}

// decide says what a failed unit means for the run, and whether its stage bears it: then the run goes on without it. Only
// Failed comes here: what could not be judged holds its unit and nothing else.
func (r *rollout) decide(ctx workflow.Context, u *api.UnitStatus) (borne bool, why string) {
	stage := r.stageOf(u.Stage)
	failed := r.failedIn(u.Stage)
	if r.plan.OnFailure == pipelines.Continue || failed <= stage.MaxFailures {
		if failed > stage.MaxFailures {
			return true, fmt.Sprintf("the pipeline says onFailure: Continue; %s of stage %s failed so far", api.Counted(failed, "unit"), u.Stage)
		}
		return true, fmt.Sprintf("stage %s bears it: %s failed so far, maxFailures is %d", u.Stage, api.Counted(failed, "unit"), stage.MaxFailures)
	}
	why = fmt.Sprintf("%s failed at %s: %s", u.Failure.Name, u.FailedAt, u.Failure.Message)
	if r.plan.OnFailure == pipelines.Rollback && r.plan.Rollback == pipelines.RollbackAuto {
		r.wantRollback(ctx, api.Scope{}, api.Ending{By: api.BySluice, Reason: why}, why)
		r.auditItself(ctx, api.UpdateRollback, why)
		return false, why
	}
	r.pause(&api.Waiting{
		Kind: "decision", Name: u.Path, Since: workflow.Now(ctx).UTC(), Unmet: []string{why}, Owner: "whoever may resume, abort or roll back",
	})
	r.tellAll(ctx, order{Kind: orderPause, Who: api.BySluice, Reason: why})
	return false, why
}

// failedIn counts the units of a stage that failed, those that wait for a decision included.
func (r *rollout) failedIn(stage string) int {
	n := 0
	for _, st := range r.state.Status.Stages {
		if st.Name != stage {
			continue
		}
		for _, u := range st.Units {
			if u.Phase == api.PhaseFailed || u.Failure != nil && u.Failure.Verdict == api.Failed {
				n++
			}
		}
	}
	return n
}

// tellUnit gives a unit an order.
func (r *rollout) tellUnit(ctx workflow.Context, u *unitRun, o order) {
	r.tell(ctx, []*unitRun{u}, o)
}

func (r *rollout) tellAll(ctx workflow.Context, o order) {
	r.tell(ctx, r.openUnits(), o)
}

// tell gives units an order. One whose workflow has not started yet gets it once it has.
func (r *rollout) tell(ctx workflow.Context, units []*unitRun, o order) {
	ctx, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	var sent []workflow.Future
	for _, u := range units {
		u.stopping = u.stopping || o.Kind == orderStop || o.Kind == orderAbort
		o.Run, o.Back = r.in.Run, u.paced
		switch {
		case u.part != nil:
			u.part.tell(u.cluster, o)
		case u.hears:
			sent = append(sent, u.send(ctx, o))
		default:
			u.owed = append(u.owed, o)
		}
	}
	for _, f := range sent {
		// A unit that has just ended cannot hear; its end says all there is.
		_ = f.Get(ctx, nil)
	}
}

// tellOwed gives a unit, which has just started, the orders that came too early for it, before any later one.
func (u *unitRun) tellOwed(ctx workflow.Context) {
	for len(u.owed) > 0 {
		o := u.owed[0]
		u.owed = u.owed[1:]
		_ = u.send(ctx, o).Get(ctx, nil)
	}
	u.hears = true
}

func (u *unitRun) send(ctx workflow.Context, o order) workflow.Future {
	return workflow.SignalExternalWorkflow(ctx, u.id, "", signalOrder, o)
}

// openUnits returns the open units in the order in which they started.
func (r *rollout) openUnits() []*unitRun {
	var out []*unitRun
	for _, st := range r.state.Status.Stages {
		for _, u := range st.Units {
			if run := r.open[u.Cluster]; run != nil {
				out = append(out, run)
			}
		}
	}
	return out
}

// unit returns the status of a cluster's unit, nil where the run has none.
func (r *rollout) unit(cluster string) *api.UnitStatus {
	if r.at == nil && len(r.state.Status.Stages) > 0 {
		r.at = map[string]*api.UnitStatus{}
		for i := range r.state.Status.Stages {
			units := r.state.Status.Stages[i].Units
			for j := range units {
				if r.at[units[j].Cluster] == nil {
					r.at[units[j].Cluster] = &units[j]
				}
			}
		}
	}
	return r.at[cluster]
}

// unitsOf lists the present status of a group's units.
func (r *rollout) unitsOf(g *plan.Group) []api.UnitStatus {
	var out []api.UnitStatus
	for _, u := range g.Units {
		out = append(out, *r.unit(u.Cluster))
	}
	return out
}

// statesOf tells the planner's arithmetic where units are.
func (r *rollout) statesOf(units []plan.Unit) []plan.State {
	out := make([]plan.State, len(units))
	for i, u := range units {
		out[i] = stateOf(r.unit(u.Cluster).Phase)
		if r.open[u.Cluster] != nil && out[i] == plan.Pending {
			out[i] = plan.Running // it was started, whatever it says of itself
		}
	}
	return out
}

func stateOf(p api.Phase) plan.State {
	switch p {
	case api.PhasePending:
		return plan.Pending
	case api.PhaseSucceeded:
		return plan.Succeeded
	case api.PhaseSkipped:
		return plan.Skipped
	case api.PhaseUnreachable, api.PhaseMissed:
		return plan.Unreachable
	case api.PhaseFailed, api.PhaseAborted, api.PhaseRolledBack:
		return plan.Failed
	}
	return plan.Running
}

// leftBefore lists what earlier groups and stages left behind that did not end well.
func (r *rollout) leftBefore(g *plan.Group) []plan.Left {
	var left []plan.Left
	for i, p := range r.plan.Stages[:r.state.Stage+1] {
		for j := range p.Groups {
			if i == r.state.Stage && &r.plan.Stages[i].Groups[j] == g {
				return left
			}
			for _, u := range p.Groups[j].Units {
				if s := stateOf(r.unit(u.Cluster).Phase); s == plan.Failed || s == plan.Unreachable {
					left = append(left, plan.Left{Cluster: u.Cluster, Group: u.Group, State: s, SameStage: i == r.state.Stage})
				}
			}
		}
	}
	return left
}
