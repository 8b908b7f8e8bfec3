// Package run takes a plan through its stages: it starts units, hears their reports, obeys commands, soaks, and takes the whole run
// back. Which unit is next, what a failure means and which commands are taken is for internal/plan to say; what is done in a
// cluster is the unit's.
package run

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/workflows/ask"
	"sluice.dev/sluice/workflows/pace"
	"sluice.dev/sluice/workflows/shape"
	"sluice.dev/sluice/workflows/tell"
)

// Rollout takes a plan through its stages in order. It ends with the run's status, whose phase is computed from what
// its units recorded.
func Rollout(ctx workflow.Context, in api.RolloutInput) (api.RunStatus, error) {
	return newRollout(ctx, in).run(ctx)
}

type rollout struct {
	in       api.RolloutInput
	shape    shape.Shape
	plan     step.RunPlan
	state    api.RunState
	open     map[string]*unitRun        // by cluster; only looked up, never ranged over
	looks    map[string]*lookRun        // by cluster; only looked up
	parts    []*part                    // open
	soaking  *soak                      // of a group or stage; nil where none does
	sliding  []plan.Unit                // of the group whose units start now
	at       map[string]*api.UnitStatus // by cluster, in state; only looked up
	hushed   bool                       // more is to come before it is worth showing
	want     intent
	phase    api.Phase       // what it does; where nothing of it gets on, it shows as what stands
	loaded   bool            // the plan is known
	backing  bool            // units that start now go back
	closing  bool            // the end is being written down; no command is taken any more
	tried    map[string]bool // clusters that a rollback has turned to; only looked up
	resumes  int             // how often it was told to resume; a unit that stands in a soak waits for the next
	waitsFor string          // what its search attribute says
	obeying  int             // standing orders that are being obeyed
	late     []api.Command   // rollbacks that came while the end was being written down
	untold   int             // units to which orders are on their way
	freezing bool            // what goes back is about to be frozen
	froze    bool            // it is, or is about to be
	aborts   int             // how often it was told to abort
	lastDone bool            // finally has ended
	litter   litter          // what its checks and tasks may have left
	inTurn   int             // how many changes there have been; what waits, waits for it to move on

	standingOrders workflow.ReceiveChannel
	unwritten      []step.AuditRequest // that are on their way into the audit, in the order in which they came
}

// intent is what operators, or the failure policy, want of the run.
type intent struct {
	abort    bool
	rollback []api.Scope
}

// unitRun is a unit whose workflow is open.
type unitRun struct {
	id       string
	cluster  string
	stopping bool           // it was told to end: what it stands at holds nobody
	decided  bool           // what becomes of its failure was told to it
	skipped  *api.Ending    // who left it out; nil where nobody did
	back     bool           // it goes back
	paced    bool           // at the pace of a rollback: it was started to go back
	hears    bool           // its workflow has started, and no order is on its way to it
	run      string         // which execution of its workflow that is
	part     *part          // that holds it; nil where the run itself does
	before   api.UnitStatus // as it was when it began
	heard    int            // the number of its last report
	owed     []tell.Order
}

func newRollout(ctx workflow.Context, in api.RolloutInput) *rollout {
	r := &rollout{in: in, shape: shape.Of(ctx), open: map[string]*unitRun{}, looks: map[string]*lookRun{}, tried: map[string]bool{}}
	if in.State != nil {
		r.state = *in.State
		r.phase = r.state.Status.Phase
		return r
	}
	r.state = api.RunState{
		Status: api.RunStatus{
			Name: in.Run, Plan: in.Plan, By: in.By, Reason: in.Reason, Phase: api.PhasePending, Started: workflow.Now(ctx).UTC(),
		},
		Holds: in.Holds,
	}
	if in.Back != nil {
		r.state.Status.Back = in.Back.Run
	}
	if in.Retry != nil {
		r.state.Status.Retry = in.Retry.Run
	}
	return r
}

func (r *rollout) run(outer workflow.Context) (api.RunStatus, error) {
	ctx, over := workflow.NewDisconnectedContext(outer)
	defer over()
	if err := r.serve(ctx); err != nil {
		return r.state.Status, err
	}
	// Being cancelled in the Temporal UI is an abort, with all that belongs to one.
	workflow.GoNamed(ctx, "cancellation", func(ctx workflow.Context) {
		outer.Done().Receive(ctx, nil)
		if !r.rollingBack() {
			r.doAbort(ctx, api.Command{Who: "cancellation"})
			r.inTurn++
		}
	})
	if err := r.load(ctx); err != nil {
		return r.state.Status, err
	}
	if r.in.Back != nil {
		r.freezeVersion(ctx, r.in.By, r.in.Reason)
		r.takeBack(ctx, r.in.Back.Units)
		r.finish(ctx)
		return r.close(ctx)
	}
	if r.state.Stage == 0 {
		if err := r.judgeRun(ctx, pipelines.BeforeRun); err != nil {
			return r.state.Status, err
		}
		if err := r.thawed(ctx); err != nil {
			return r.state.Status, err
		}
		r.tasks(ctx)
	}
	if r.stopped() {
		r.finish(ctx)
		return r.close(ctx)
	}
	for ; r.state.Stage < len(r.plan.Stages) && !r.ending(); r.state.Stage++ {
		if r.state.Stage > 0 && len(r.openUnits()) == 0 && workflow.GetInfo(ctx).GetCurrentHistoryLength() > pace.Tuned().HistoryBound {
			if err := r.continueAsNew(ctx, outer); err != nil {
				return r.state.Status, err
			}
			break // a command came in meanwhile
		}
		if err := r.stage(ctx, r.state.Stage); err != nil {
			return r.state.Status, err
		}
		r.dismiss(ctx)
	}
	if err := r.judgeRun(ctx, pipelines.AfterRun); err != nil {
		return r.state.Status, err
	}
	r.finish(ctx)
	return r.close(ctx)
}

// load reads the run's part of the plan, and lays out the status on the first execution.
func (r *rollout) load(ctx workflow.Context) error {
	read, err := ask.For(step.LoadRun, "read the plan", r.in.Plan).Get(ctx)
	if err != nil {
		return fmt.Errorf("cannot read plan %s: %w", r.in.Plan, err)
	}
	r.plan, r.loaded = read, true
	if r.in.Retry != nil {
		r.plan.Stages = only(r.plan.Stages, r.in.Retry.Units)
	}
	if r.in.State != nil {
		return nil
	}
	s := &r.state.Status
	s.Subject, s.Version, s.Pipeline, s.Origin = r.plan.Subject, r.plan.Version, r.plan.Pipeline, r.plan.Origin
	for _, p := range r.plan.Stages {
		st := api.StageStatus{Name: p.Name, Phase: api.PhasePending, Skipped: p.Skipped}
		for _, g := range p.Groups {
			for _, u := range g.Units {
				st.Units = append(st.Units, api.UnitStatus{Path: u.Path, Cluster: u.Cluster, Group: u.Group, Stage: p.Name, Phase: api.PhasePending})
			}
		}
		s.Stages = append(s.Stages, st)
	}
	if t := r.plan.Tasks; t != nil && r.in.Back == nil {
		s.Tasks = append(plan.TasksBegin(t.First, false), plan.TasksBegin(t.Finally, true)...)
	}
	r.show(ctx, api.PhaseMoving, nil)
	return nil
}
