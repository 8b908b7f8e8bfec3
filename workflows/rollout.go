package workflows

import (
	"fmt"
	"slices"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// Rollout takes a plan through its stages in order. It ends with the run's status, whose phase is computed from what
// its units recorded.
func Rollout(ctx workflow.Context, in api.RolloutInput) (api.RunStatus, error) {
	return newRollout(ctx, in).run(ctx)
}

type rollout struct {
	in       api.RolloutInput
	shape    shape
	plan     step.RunPlan
	state    api.RunState
	open     map[string]*unitRun        // by cluster; only looked up, never ranged over
	looks    map[string]*lookRun        // by cluster; only looked up
	parts    []*part                    // open
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
	writing  int             // what it writes into the audit of itself
	inTurn   int             // how many changes there have been; what waits, waits for it to move on

	standingOrders workflow.ReceiveChannel
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
	back     bool           // it goes back
	paced    bool           // at the pace of a rollback: it was started to go back
	hears    bool           // its workflow has started
	run      string         // which execution of its workflow that is
	part     *part          // that holds it; nil where the run itself does
	before   api.UnitStatus // as it was when it began
	heard    int            // the number of its last report
	owed     []order
}

func newRollout(ctx workflow.Context, in api.RolloutInput) *rollout {
	r := &rollout{in: in, shape: shapeOf(ctx), open: map[string]*unitRun{}, looks: map[string]*lookRun{}, tried: map[string]bool{}}
	if in.State != nil {
		r.state = *in.State
		r.phase = r.state.Status.Phase
		if r.state.Approvals == nil {
			r.state.Approvals = map[string][]string{}
		}
		return r
	}
	r.state = api.RunState{
		Status: api.RunStatus{
			Name: in.Run, Plan: in.Plan, By: in.By, Reason: in.Reason, Phase: api.PhasePending, Started: workflow.Now(ctx).UTC(),
		},
		Approvals: map[string][]string{},
	}
	if in.Back != nil {
		r.state.Status.Back = in.Back.Run
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
		r.takeBack(ctx, r.in.Back.Units)
		r.finish(ctx)
		return r.close(ctx)
	}
	for ; r.state.Stage < len(r.plan.Stages) && !r.ending(); r.state.Stage++ {
		if r.state.Stage > 0 && len(r.openUnits()) == 0 && workflow.GetInfo(ctx).GetCurrentHistoryLength() > tuned().HistoryBound {
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
	r.finish(ctx)
	return r.close(ctx)
}

// load reads the run's part of the plan, and lays out the status on the first execution.
func (r *rollout) load(ctx workflow.Context) error {
	read, err := ask(step.LoadRun, "read the plan", r.in.Plan).get(ctx)
	if err != nil {
		return fmt.Errorf("cannot read plan %s: %w", r.in.Plan, err)
	}
	r.plan, r.loaded = read, true
	if r.in.State != nil {
		return nil
	}
	s := &r.state.Status
	s.Component, s.Version, s.Pipeline, s.Origin = r.plan.Component, r.plan.Version, r.plan.Pipeline, r.plan.Origin
	for _, p := range r.plan.Stages {
		st := api.StageStatus{Name: p.Name, Phase: api.PhasePending, Skipped: p.Skipped}
		for _, g := range p.Groups {
			for _, u := range g.Units {
				st.Units = append(st.Units, api.UnitStatus{Path: u.Path, Cluster: u.Cluster, Group: u.Group, Stage: p.Name, Phase: api.PhasePending})
			}
		}
		s.Stages = append(s.Stages, st)
	}
	r.show(ctx, api.PhaseMoving, nil)
	return nil
}

// ending reports whether no further unit may start.
func (r *rollout) ending() bool { return r.want.abort || len(r.want.rollback) > 0 }

// stage runs one stage: approval, checks, its groups one after another, soak and checks.
func (r *rollout) stage(ctx workflow.Context, i int) error {
	p, st := &r.plan.Stages[i], &r.state.Status.Stages[i]
	if p.Skipped != "" {
		st.Phase = api.PhaseSkipped
		return nil
	}
	st.Phase = api.PhaseMoving
	_ = workflow.UpsertTypedSearchAttributes(ctx, attrStage.ValueSet(p.Name))
	if err := r.approval(ctx, p, st); err != nil {
		return err
	}
	if err := r.judge(ctx, st, p.Checks, pipelines.BeforeStage, st.Units); err != nil {
		return err
	}
	for g := range p.Groups {
		if err := r.group(ctx, p, st, g); err != nil {
			return err
		}
	}
	if err := r.soak(ctx, p.SoakStage, "stage "+p.Name, p, p.AllUnits()); err != nil {
		return err
	}
	if err := r.judge(ctx, st, p.Checks, pipelines.AfterStage, st.Units); err != nil {
		return err
	}
	if !r.ending() {
		st.Phase, st.Waiting = api.PhaseSucceeded, nil
	}
	return nil
}

// approval waits until as many people as the stage asks for have approved this plan.
func (r *rollout) approval(ctx workflow.Context, p *step.RunStage, st *api.StageStatus) error {
	if p.Approvals == 0 || r.ending() {
		return nil
	}
	st.Waiting = &api.Waiting{
		Kind: "approval", Name: p.Name, Since: workflow.Now(ctx).UTC(), Owner: "anybody but " + r.in.By, Unmet: r.unapproved(p.Name),
	}
	return stand{
		show: r.show, phase: api.PhaseWaiting, waiting: st.Waiting, then: api.PhaseMoving,
		until:  func() bool { return len(r.state.Approvals[p.Name]) >= p.Approvals || r.ending() },
		leaves: func() { st.Waiting = nil },
	}.wait(ctx)
}

// judge runs the checks of a group or stage. One that does not pass holds the run until it is resumed.
func (r *rollout) judge(ctx workflow.Context, st *api.StageStatus, all []pipelines.ResolvedCheck, point pipelines.Point, units []api.UnitStatus) error {
	checks := pipelines.ChecksAt(all, point)
	for len(checks) > 0 && !r.ending() {
		facts := rule.Facts{Stage: count(st.Name, units), Change: rule.Change{
			Component: r.plan.Component, Version: r.plan.Version, Pipeline: r.plan.Pipeline, Plan: r.in.Plan, Run: r.in.Run,
		}}
		st.Checks = evaluate(ctx, step.EvaluateRequest{Point: point, Checks: checks, Facts: facts})
		bad, held := api.FirstBad(st.Checks)
		if !held {
			return nil
		}
		why := undecided(bad)
		why.Kind, why.Since = "check", workflow.Now(ctx).UTC()
		r.pause(why)
		if err := r.unpaused(ctx); err != nil {
			return err
		}
	}
	return nil
}

// unpaused returns once the run is not paused, or is ending.
func (r *rollout) unpaused(ctx workflow.Context) error {
	if !r.state.Paused || r.ending() {
		return nil
	}
	return stand{
		show: r.show, phase: api.PhasePaused, waiting: r.state.Status.Waiting, then: api.PhaseMoving,
		until: func() bool { return !r.state.Paused || r.ending() },
	}.wait(ctx)
}

// group starts units in the plan's order under its concurrency, and ends when each has ended or is out of reach.
func (r *rollout) group(ctx workflow.Context, p *step.RunStage, st *api.StageStatus, i int) error {
	g := &p.Groups[i]
	if err := r.judge(ctx, st, p.Checks, pipelines.BeforeGroup, r.unitsOf(g)); err != nil {
		return err
	}
	window := p.Stage().Window(i, r.leftBefore(g))
	if r.plan.OnFailure == pipelines.Continue {
		window.MaxFailures = p.Units()
	}
	if err := r.slide(ctx, window, func(u plan.Unit) { r.start(ctx, p.Name, u) }, func(now plan.Decision) { r.explain(ctx, st, now) }); err != nil {
		return err
	}
	if err := r.soak(ctx, p.SoakGroup, "group "+g.Name, p, g.Units); err != nil {
		return err
	}
	return r.judge(ctx, st, p.Checks, pipelines.AfterGroup, r.unitsOf(g))
}

// slide starts the units of a window as it opens, until all have ended or the run is ending.
func (r *rollout) slide(ctx workflow.Context, window plan.Window, start func(plan.Unit), explain func(plan.Decision)) error {
	for {
		if err := r.unpaused(ctx); err != nil {
			return err
		}
		if r.ending() {
			return r.settled(ctx)
		}
		now := window.Next(r.statesOf(window.Group.Units))
		if now.Done && now.Held == "" {
			return nil
		}
		for _, i := range now.Start {
			start(window.Group.Units[i])
		}
		explain(now)
		r.refresh(ctx)
		turn := r.inTurn
		if err := workflow.Await(ctx, func() bool { return r.inTurn != turn || r.ending() || r.state.Paused }); err != nil {
			return err
		}
	}
}

// explain says why units of a stage do not start.
func (r *rollout) explain(ctx workflow.Context, st *api.StageStatus, now plan.Decision) {
	var unmet []string
	if now.Held != "" {
		unmet = append(unmet, now.Held)
	}
	for _, b := range now.Blocked {
		unmet = append(unmet, b.Why)
	}
	if len(now.Start) > 0 || len(unmet) == 0 {
		st.Waiting = nil
		return
	}
	st.Waiting = &api.Waiting{
		Kind: "budget", Name: st.Name, Since: workflow.Now(ctx).UTC(), Unmet: unmet, Owner: "whoever may abort or roll back",
	}
}

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
// that is owed a rollback is not: the run stays open until its cluster is back.
func (r *rollout) finish(ctx workflow.Context) {
	for {
		_ = r.settled(ctx)
		if back := r.goingBack(); len(back) > 0 {
			r.takeBack(ctx, back)
			continue
		}
		for _, u := range r.openUnits() {
			if !u.back || r.want.abort {
				r.tellUnit(ctx, u, order{Kind: orderStop, Who: api.BySluice, Reason: "the run has ended"})
			}
		}
		turn := r.inTurn
		_ = workflow.Await(ctx, func() bool { return len(r.openUnits()) == 0 || r.inTurn != turn })
		if len(r.openUnits()) == 0 && len(r.goingBack()) == 0 {
			r.closing = true
			r.dismiss(ctx)
			return
		}
	}
}

// close computes the end from what the units recorded, and writes it down.
func (r *rollout) close(ctx workflow.Context) (api.RunStatus, error) {
	s := &r.state.Status
	phase := api.Outcome(s.Stages)
	for i := range s.Stages {
		st := &s.Stages[i]
		for j := range st.Units {
			if st.Units[j].Phase == api.PhasePending {
				st.Units[j].Phase = api.PhaseSkipped
			}
		}
		if st.Phase != api.PhaseSkipped {
			st.Phase = api.Outcome([]api.StageStatus{*st})
			if !slices.ContainsFunc(st.Units, func(u api.UnitStatus) bool { return u.Phase != api.PhaseSkipped }) {
				st.Phase = api.PhaseSkipped
			}
		}
		st.Waiting = nil
	}
	s.Ended = workflow.Now(ctx).UTC()
	r.show(ctx, phase, nil)
	dctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	if _, err := ask(step.SaveRun, "record the run", *s).get(dctx); err != nil {
		return *s, fmt.Errorf("cannot record run %s: %w", s.Name, err)
	}
	// Whoever has just given a command is to hear its answer.
	if err := r.attentive(dctx); err != nil || r.shape < closesAsItEnded {
		return *s, err
	}
	return *s, closing(s.Phase, s.Back != "", s.Ending, runEnd(s), *s)
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
