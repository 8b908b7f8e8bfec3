package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines"
)

// ClusterRollout moves one component in one cluster: check, hold, apply, batch by batch, check again, record. It ends
// with the unit's status, which is never changed afterwards. Its workflow ID is made of cluster and component, so that
// Temporal keeps two runs off the same unit.
func ClusterRollout(ctx workflow.Context, in ClusterInput) (api.UnitStatus, error) {
	return newClusterRollout(ctx, in).run(ctx)
}

// What ends the way forward before its end.
var (
	errRollback = errors.New("rollback")
	errAbort    = errors.New("abort")
	errStop     = errors.New("stop")
)

type clusterRollout struct {
	in      ClusterInput
	shape   shape
	plan    step.UnitPlan
	diff    step.DiffResult
	unit    api.UnitStatus
	orders  orders
	held    []*heldWorkload // workloads that this run holds, in the order in which it took them
	locked  bool
	applied bool // something that is not a workload may have been written
	cancel  workflow.CancelFunc
	last    *moved    // the batch that was moved last of the workload that is held
	misses  int       // tries in a row that did not work
	looks   bool      // it has arrived, and is looked at: nothing is moved
	away    bool      // the run believes the cluster to be out of reach
	before  api.Phase // of the unit, before that
	firm    bool      // only an order to end interrupts what is under way
	told    shown     // what the run was told last, and when
	toldAt  time.Time
	reports int // how many there were
}

// moved is a batch that has been moved.
type moved struct {
	index int // in the unit's batches
	req   step.AdvanceRequest
}

// heldWorkload is a workload between Prepare and Finish.
type heldWorkload struct {
	object string
	state  goal.State
	goal   goal.Goal
	done   bool   // the owner's strategy is back
	stays  string // why it is not back after a revert, and what it is now
}

func newClusterRollout(ctx workflow.Context, in ClusterInput) *clusterRollout {
	return &clusterRollout{
		in:     in,
		shape:  shapeOf(ctx),
		orders: orders{paused: in.Paused},
		unit: api.UnitStatus{
			Path: in.Path, Cluster: in.Cluster, Group: in.Group, Stage: in.Stage, Phase: api.PhaseWaiting,
			Started: workflow.Now(ctx).UTC(), Workflow: workflow.GetInfo(ctx).WorkflowExecution.ID,
		},
	}
}

func (r *clusterRollout) run(outer workflow.Context) (api.UnitStatus, error) {
	ctx, over := workflow.NewDisconnectedContext(outer)
	defer over()
	if err := r.serve(ctx); err != nil {
		return r.unit, err
	}
	// Being cancelled, by a person in the Temporal UI or because the run was terminated, is an abort: it stops and disarms.
	workflow.GoNamed(ctx, "cancellation", func(ctx workflow.Context) {
		outer.Done().Receive(ctx, nil)
		r.take(order{Kind: orderAbort, Who: "cancellation"})
	})
	if r.told = r.shown(); r.shape >= tellsChanges && r.in.TellEvery > 0 {
		workflow.GoNamed(ctx, "herald", r.herald)
	}
	err := r.forward(ctx)
	switch {
	case err == nil:
		return r.close(ctx, r.arrived())
	case errors.Is(err, errRollback):
		return r.close(ctx, r.back(ctx))
	case errors.Is(err, errAbort):
		return r.close(ctx, r.leave(ctx, api.PhaseAborted))
	case errors.Is(err, errStop):
		return r.close(ctx, r.leave(ctx, r.stoppedPhase()))
	}
	return r.unit, err
}

// forward is the runbook.
func (r *clusterRollout) forward(ctx workflow.Context) error {
	for _, next := range []func(workflow.Context) error{
		r.load,
		r.lock,
		r.supersede,
		r.compare,
		r.checkBefore,
		r.applyBefore,
		r.moveWorkloads,
		r.applyAfter,
		r.soakCluster,
		r.checkAfter,
		r.prune,
		r.record,
	} {
		if err := next(ctx); err != nil {
			return err
		}
	}
	return nil
}

// arrived is the phase of a unit that went all the way.
func (r *clusterRollout) arrived() api.Phase {
	if r.in.Back {
		return api.PhaseRolledBack
	}
	return api.PhaseSucceeded
}

func (r *clusterRollout) load(ctx workflow.Context) error {
	read, err := do(ctx, r, ask(step.LoadUnit, "read the plan", r.in.Ref))
	r.plan, r.unit.Version = read, read.Change.Version
	return err
}

func (r *clusterRollout) lock(ctx workflow.Context) error {
	ref, err := do(ctx, r, near(r, step.Acquire, "take the lease in "+r.in.Cluster, r.in.Ref))
	if err != nil {
		return err
	}
	r.in.Fence, r.locked = ref.Fence, true
	return nil
}

// supersede ends the looks at the unit that another run may still take, as its stage soaks: they would find the pods of this run.
func (r *clusterRollout) supersede(ctx workflow.Context) error {
	if r.shape < looksApart || r.in.BackOf == r.in.Run {
		return nil
	}
	o := order{Kind: orderSupersede, Run: r.in.Run}
	// There are none as a rule.
	_ = workflow.SignalExternalWorkflow(ctx, api.LookWorkflowID(r.in.Path, r.in.Component), "", signalOrder, o).Get(ctx, nil)
	return nil
}

// compare renders and diffs anew: the plan's own look may be days old.
func (r *clusterRollout) compare(ctx workflow.Context) error {
	for {
		found, err := do(ctx, r, near(r, step.Diff, "render and compare", step.DiffRequest{Ref: r.in.Ref}))
		if err != nil {
			return err
		}
		r.diff = found
		r.unit.Behind = nil
		for _, w := range r.diff.Cluster.Workloads {
			r.unit.Behind = append(r.unit.Behind, w.Behind...)
		}
		if len(r.diff.Cluster.Refusals) == 0 {
			return nil
		}
		no := r.diff.Cluster.Refusals[0]
		failure := api.Check{Name: no.Rule, At: "plan", Verdict: api.Error, Message: no.Message}
		if err := r.hold(ctx, api.PhaseRefused, failure, r.unit.Path); err != nil {
			return err
		}
	}
}

func (r *clusterRollout) applyBefore(ctx workflow.Context) error { return r.apply(ctx, false) }
func (r *clusterRollout) applyAfter(ctx workflow.Context) error  { return r.apply(ctx, true) }

func (r *clusterRollout) apply(ctx workflow.Context, after bool) error {
	if !r.diff.Writes(after) {
		return nil
	}
	r.applied, r.unit.Moved = true, true
	what := "apply what the workloads need"
	if after {
		what = "apply what needs the workloads"
	}
	done, err := do(ctx, r, near(r, step.Apply, what, step.ApplyRequest{Ref: r.in.Ref, Changes: r.diff.Changes, After: after}))
	r.kept(done.Kept)
	return err
}

func (r *clusterRollout) moveWorkloads(ctx workflow.Context) error {
	for _, w := range r.diff.Cluster.Workloads {
		if err := r.move(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// move takes a workload through its node sets and batches, and gives it back to its owner.
func (r *clusterRollout) move(ctx workflow.Context, w plan.Division) error {
	held := &heldWorkload{object: w.Object}
	r.held, r.unit.Moved = append(r.held, held), true
	state, err := do(ctx, r, near(r, step.Prepare, "hold "+w.Object, r.about(held)))
	if err != nil {
		return err
	}
	held.state, r.unit.Armed = state, state.Armed
	for i, set := range w.NodeSets {
		for _, b := range set.Batches {
			if err := r.batch(ctx, held, w, i, b); err != nil {
				return err
			}
		}
	}
	if err := r.gather(ctx, held); err != nil {
		return err
	}
	if state, err = do(ctx, r, near(r, step.Finish, "give "+w.Object+" back", r.about(held))); err != nil {
		return err
	}
	held.state = state
	held.done, r.unit.Armed, r.last = true, false, nil
	return nil
}

// batch moves one batch, watches it soak, and judges it.
func (r *clusterRollout) batch(ctx workflow.Context, held *heldWorkload, w plan.Division, set int, b plan.Batch) error {
	at := r.open(ctx, w, set, b)
	if b.Skipped != "" {
		return nil
	}
	held.goal = goal.Goal{
		Sets: r.plan.Rules.SetsOf(w), Set: set, Number: b.Number, Amount: b.Amount,
		MaxUnavailable: r.plan.Rules.MaxUnavailable,
	}
	req := r.request(held, w, set, b)
	if err := r.judge(ctx, pipelines.BeforeBatch, at, r.looker(req)); err != nil {
		return err
	}
	r.last = nil
	if err := r.advance(ctx, at, req); err != nil {
		return err
	}
	r.last = &moved{index: len(r.unit.Batches) - 1, req: req}
	req.Checks = union(pipelines.ChecksAt(r.plan.Rules.Checks, pipelines.During), pipelines.ChecksAt(r.plan.Rules.Checks, pipelines.AfterBatch))
	if err := r.soak(ctx, r.plan.Rules.Soak.Batch, at, pipelines.AfterBatch, func() []step.AdvanceRequest { return r.fresh(req) }); err != nil {
		return err
	}
	if err := r.judge(ctx, pipelines.AfterBatch, at, r.looker(req)); err != nil {
		return err
	}
	r.finishBatch(ctx, at)
	return nil
}

func (r *clusterRollout) soakCluster(ctx workflow.Context) error {
	if !r.unit.Moved {
		return nil
	}
	return r.soak(ctx, r.plan.Rules.Soak.Cluster, nil, pipelines.AfterCluster, r.soaking)
}

func (r *clusterRollout) checkBefore(ctx workflow.Context) error {
	return r.judge(ctx, pipelines.BeforeCluster, nil, r.lookCluster)
}

func (r *clusterRollout) checkAfter(ctx workflow.Context) error {
	if !r.unit.Moved {
		return nil // nothing was changed here, so there is nothing to judge
	}
	return r.judge(ctx, pipelines.AfterCluster, nil, r.lookCluster)
}

// prune takes away what earlier versions left behind, or says that nothing needs it. It keeps nobody from arriving.
func (r *clusterRollout) prune(ctx workflow.Context) error {
	if r.shape < prunes || len(r.diff.Left) == 0 {
		return nil
	}
	req := step.PruneRequest{Ref: r.in.Ref, Objects: r.diff.Left, Delete: r.plan.Prune}
	found, err := near(r, step.Prune, "look at what earlier versions left", req).get(ctx)
	if err != nil {
		r.note(nil, []api.Check{{Name: "prune", At: "end", Verdict: api.Error, Advisory: true, Message: messageOf(err)}})
	}
	r.unit.Pruned, r.unit.Unneeded = found.Pruned, found.Unneeded
	return r.orders.ended()
}

// record frees the lease and writes down what runs here now.
func (r *clusterRollout) record(ctx workflow.Context) error {
	req := step.ReleaseRequest{Ref: r.in.Ref, Outcome: r.arrived(), Changes: r.diff.Changes}
	if _, err := do(ctx, r, near(r, step.Release, "record and free the lease", req)); err != nil {
		return err
	}
	r.locked = false
	return nil
}

// close writes the unit's status down for good.
func (r *clusterRollout) close(ctx workflow.Context, phase api.Phase) (api.UnitStatus, error) {
	for i := range r.unit.Batches {
		b := &r.unit.Batches[i]
		switch {
		case r.in.Back && b.Phase == api.PhaseSucceeded:
			b.Phase = api.PhaseRolledBack
		case !b.Phase.Final(): // it was under way
			b.Phase, b.Ended = phase, workflow.Now(ctx).UTC()
		}
	}
	r.unit.Ended = workflow.Now(ctx).UTC()
	if phase != r.arrived() {
		r.unit.Ending = r.orders.ending
	}
	r.set(ctx, phase, nil)
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	record := step.UnitRecord{UnitStatus: r.unit}
	if phase == api.PhaseSucceeded {
		record.Soaking = r.soaking()
	}
	detail, err := ask(step.SaveUnit, "record the unit", step.SaveUnitRequest{Ref: r.in.Ref, Record: record}).get(ctx)
	if err != nil {
		return r.unit, fmt.Errorf("cannot record unit %s: %w", r.unit.Path, err)
	}
	r.unit.Detail = detail
	short := r.unit
	short.Batches, short.Checks, short.Failure, short.Cause = nil, nil, brief(r.unit.Failure), brief(r.unit.Cause)
	short.Kept = briefly(r.unit.Kept)
	short.Behind = few(r.unit.Behind)
	if r.in.Closes && r.shape >= closesAsItEnded {
		return short, closing(short.Phase, r.in.Back, short.Ending, unitEnd(short), short)
	}
	return short, nil
}
