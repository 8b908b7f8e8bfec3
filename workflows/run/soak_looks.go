package run

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/workflows/ask"
	"sluice.dev/sluice/workflows/pace"
	"sluice.dev/sluice/workflows/show"
	"sluice.dev/sluice/workflows/tell"
)

// lookRun is a look that is open.
type lookRun struct {
	id    string // of its workflow
	run   string // which execution of that it is, where it is known
	heard int    // the number of its last report
	part  *part  // that holds it; nil where the run itself does
	stop  workflow.CancelFunc
	owed  *tell.Order // to end soon, before it had begun
	end   bool        // it has ended, with these
	found *tell.Finding
	err   error
}

// watchOver has a unit looked at until its time is over. A check that does not pass is a failure of the unit, as if it still
// moved.
func (r *rollout) watchOver(ctx workflow.Context, s *soak, u plan.Unit, until time.Time) {
	unit := r.unit(u.Cluster)
	for unit.Phase == api.PhaseSucceeded && ctx.Err() == nil {
		if until.Sub(workflow.Now(ctx)) <= 0 {
			return
		}
		found, err := r.lookBy(ctx, s, u, until)
		switch {
		case ctx.Err() != nil, unit.Phase == api.PhaseSkipped:
		case err != nil:
			r.standInSoak(ctx, unit, u, s.what, api.Check{Name: "watch during soak", Verdict: api.Error, Message: ask.MessageOf(err)})
		case found.Superseded != "":
			r.supersede(ctx, unit, found.Superseded)
			return
		case found.Check != nil:
			r.standInSoak(ctx, unit, u, s.what, *found.Check)
		default:
			return
		}
		until = pace.LookAgain(ctx, until, s.quiet)
	}
	r.settleSoaked(ctx, unit)
}

// lookBy has a workflow of its own look at a unit.
func (r *rollout) lookBy(ctx workflow.Context, s *soak, u plan.Unit, until time.Time) (tell.Finding, error) {
	in := tell.LookInput{
		Ref:  r.ref(u),
		Path: u.Path, Site: u.Site, Stage: s.stage.Name, Group: u.Group, What: s.what, Record: r.unit(u.Cluster).Detail,
		Until: until, Quiet: s.quiet, Parent: workflow.GetInfo(ctx).WorkflowExecution.ID, Watches: s.stage.Watches,
	}
	look := &lookRun{id: api.LookWorkflowID(u.Path, r.plan.Subject), part: r.partOf(ctx, s.stage.Name, u.Cluster)}
	ctx, look.stop = workflow.WithCancel(ctx)
	defer look.stop()
	r.looks[u.Cluster] = look
	defer delete(r.looks, u.Cluster)
	if look.part == nil {
		return lookChild(ctx, r.subject(), in, look.begins)
	}
	in.Parent = look.part.id
	look.part.open++
	defer func() { look.part.open-- }()
	look.part.post(tell.Errand{Look: &in})
	if err := workflow.Await(ctx, func() bool { return look.end }); err != nil {
		look.part.post(tell.Errand{Unlook: u.Cluster})
		dctx, cancel := workflow.NewDisconnectedContext(ctx)
		defer cancel()
		_ = workflow.Await(dctx, func() bool { return look.end })
		return tell.Finding{}, err
	}
	if look.found == nil {
		return tell.Finding{}, look.err
	}
	return *look.found, look.err
}

// begins says that the workflow of a look has begun, and hands on what it was told too early.
func (l *lookRun) begins(ctx workflow.Context, run string) {
	l.run = run
	if l.owed != nil {
		l.tell(ctx, *l.owed)
	}
}

// tell gives a look an order. One that has just ended need not hear.
func (l *lookRun) tell(ctx workflow.Context, o tell.Order) {
	if l.run == "" {
		l.owed = &o
		return
	}
	workflow.SignalExternalWorkflow(ctx, l.id, l.run, tell.SignalOrder, o)
}

// lookChild runs the workflow that looks at a unit. Begun hears which execution that is.
func lookChild(
	ctx workflow.Context, of tell.Title, in tell.LookInput, begun func(ctx workflow.Context, run string),
) (found tell.Finding, err error) {
	summary := "look at " + in.Path + " while " + in.What + " soaks"
	ctx = workflow.WithChildOptions(ctx, childOptions(ctx, api.LookWorkflowID(in.Path, of.Subject), summary, of, in.Plan, in.Stage,
		show.AttrGroup.ValueSet(in.Group), show.AttrCluster.ValueSet(in.Cluster)))
	give := workflow.Now(ctx).Add(pace.Tuned().FreeLook)
	for {
		child := workflow.ExecuteChildWorkflow(ctx, api.LookName, in)
		var execution workflow.Execution
		if err = child.GetChildWorkflowExecution().Get(ctx, &execution); err == nil {
			begun(ctx, execution.RunID)
			err = child.Get(ctx, &found)
			return found, err
		}
		if !temporal.IsWorkflowExecutionAlreadyStartedError(err) {
			return found, err
		}
		if workflow.Now(ctx).After(give) {
			return tell.Finding{Superseded: "another run"}, nil
		}
		if err := workflow.Sleep(ctx, pace.Tuned().FreeLook/6); err != nil {
			return found, err
		}
	}
}

// heedLook takes what a look says of its unit's cluster.
func (r *rollout) heedLook(ctx workflow.Context, rep tell.Report) {
	unit, look := r.unit(rep.Cluster), r.looks[rep.Cluster]
	if unit == nil || look == nil || unit.LeftOut() {
		return
	}
	if look.part == nil && look.run != rep.Execution || rep.Number <= look.heard {
		return
	}
	look.heard = rep.Number
	r.mark(ctx, unit, rep.Phase, rep.Waiting)
}

// supersede notes that another run moves a unit that had arrived. This run neither looks at it any more nor takes it back.
func (r *rollout) supersede(ctx workflow.Context, unit *api.UnitStatus, by string) {
	unit.Superseded = by
	unit.Checks = append(unit.Checks, api.Check{
		Name: "soak", At: api.AtSoak, Verdict: api.Inconclusive, Advisory: true,
		Message: "superseded by " + by + ", which moves this cluster since",
	})
	r.mark(ctx, unit, api.PhaseSucceeded, nil)
}
