package unit

import (
	"errors"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/workflows/ask"
	"sluice.dev/sluice/workflows/shape"
	"sluice.dev/sluice/workflows/tell"
)

// forward is the runbook.
func (r *machine) forward(ctx workflow.Context) error {
	for _, next := range []func(workflow.Context) error{
		r.load,
		r.enter,
		r.lock,
		r.supersede,
		r.compare,
		r.checkBefore,
		r.applyBefore,
		r.moveWorkloads,
		r.applyAfter,
		r.soakCluster,
		r.checkAfter,
		r.endWatch,
		r.prune,
		r.record,
	} {
		if err := next(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *machine) load(ctx workflow.Context) error {
	read, err := do(ctx, r, ask.For(step.LoadUnit, "read the plan", r.in.Ref))
	r.plan, r.unit.Version = read, read.Change.Version
	return err
}

func (r *machine) lock(ctx workflow.Context) error {
	ref, err := do(ctx, r, near(r, step.Acquire, "take the lease in "+r.in.Cluster, r.in.Ref))
	if err != nil {
		return err
	}
	r.in.Fence, r.locked = ref.Fence, true
	return nil
}

// supersede ends the looks at the unit that another run may still take, as its stage soaks: they would find the pods of this run.
func (r *machine) supersede(ctx workflow.Context) error {
	if r.shape < shape.LooksApart || r.in.BackOf == r.in.Run {
		return nil
	}
	o := tell.Order{Kind: tell.OrderSupersede, Run: r.in.Run}
	// There are none as a rule.
	_ = workflow.SignalExternalWorkflow(ctx, api.LookWorkflowID(r.in.Path, r.in.Subject), "", tell.SignalOrder, o).Get(ctx, nil)
	return nil
}

// compare renders and diffs anew: the plan's own look may be days old.
func (r *machine) compare(ctx workflow.Context) error {
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
		failure := api.Check{Name: string(no.Rule), At: api.AtPlan, Verdict: api.Error, Message: no.Message}
		if err := r.hold(ctx, api.PhaseRefused, failure, r.unit.Path); err != nil {
			return err
		}
	}
}

func (r *machine) applyBefore(ctx workflow.Context) error { return r.apply(ctx, false) }

func (r *machine) applyAfter(ctx workflow.Context) error { return r.apply(ctx, true) }

func (r *machine) apply(ctx workflow.Context, after bool) error {
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

func (r *machine) moveWorkloads(ctx workflow.Context) error {
	for _, w := range r.diff.Cluster.Workloads {
		if err := r.move(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// move takes a workload through its node sets and batches, and gives it back to its owner.
func (r *machine) move(ctx workflow.Context, w plan.Division) error {
	held := &heldWorkload{object: w.Object}
	r.held, r.unit.Moved = append(r.held, held), true
	state, err := do(ctx, r, near(r, step.Prepare, "hold "+w.Object, r.about(held)))
	if err != nil {
		return err
	}
	held.state, r.unit.Armed = state, state.Armed
	first := len(r.unit.Batches)
	err = r.moveFrom(ctx, held, w, 0)
	for errors.Is(err, errAnew) {
		err = r.moveFrom(ctx, held, w, r.rewind(first))
	}
	return err
}

// moveFrom takes a workload through its batches from a certain one on, and gives it back.
func (r *machine) moveFrom(ctx workflow.Context, held *heldWorkload, w plan.Division, from int) error {
	for _, b := range listed(w)[from:] {
		if err := r.batch(ctx, held, w, b.set, b.Batch); err != nil {
			return err
		}
	}
	if r.unit.FailedBatches > 0 {
		r.watch(ctx) // a batch that failed has ended it
	}
	if err := r.gather(ctx, held); err != nil {
		return err
	}
	state, err := do(ctx, r, near(r, step.Finish, "give "+w.Object+" back", r.about(held)))
	if err != nil {
		return err
	}
	held.state = state
	held.done, r.unit.Armed, r.last = true, false, nil
	r.noRetreat()
	return nil
}

// batch moves one batch, watches it soak, and judges it.
func (r *machine) batch(ctx workflow.Context, held *heldWorkload, w plan.Division, set int, b plan.Batch) error {
	at := r.open(ctx, w, set, b)
	at.Back, r.tookBack = r.tookBack, nil
	if b.Skipped != "" {
		return nil
	}
	if err := r.boundary(ctx); err != nil {
		return err
	}
	held.goal = r.plan.Goal(w, set, b)
	req := r.plan.Batch(r.about(held), w, set, b)
	if err := r.judge(ctx, pipelines.BeforeBatch, at, r.looker(req)); err != nil {
		return err
	}
	r.last, r.begun = nil, len(r.unit.Batches)
	r.takeable(held, at, req, w.NodeSets[set].Batches)
	r.watch(ctx)
	if err := r.advance(ctx, at, req); err != nil {
		return err
	}
	r.last = &moved{index: len(r.unit.Batches) - 1, req: req}
	req.Checks = pipelines.Quick(union(r.checksAt(pipelines.During), r.checksAt(pipelines.AfterBatch)))
	moved := func() []step.AdvanceRequest { return r.fresh(req) }
	quiet := r.plan.Rules.Soak.AfterBatch(r.isFirst(at))
	if err := r.soak(ctx, soak{quiet: quiet, at: at, end: pipelines.AfterBatch, workloads: moved}); err != nil {
		return err
	}
	if err := r.judgeBatch(ctx, at, r.looker(req)); err != nil {
		return err
	}
	r.finishBatch(ctx, at)
	return nil
}

// judgeBatch ends a batch that has soaked, unless it has failed.
func (r *machine) judgeBatch(ctx workflow.Context, at *api.BatchStatus, look look) error {
	if borne(at) {
		return nil
	}
	// It ends with a look of what looked on beside it, too: of its rules only, where all else was measured while it soaked.
	last := r.watched()
	if r.sampler.made {
		last = pipelines.Quick(r.checksAt(pipelines.During))
	}
	if err := r.judgeBy(ctx, last, pipelines.During, at, look); err != nil || borne(at) {
		return err
	}
	return r.judge(ctx, pipelines.AfterBatch, at, look)
}

func (r *machine) soakCluster(ctx workflow.Context) error {
	if !r.unit.Moved {
		return nil
	}
	quiet := r.plan.Rules.Soak.Cluster
	err := r.soak(ctx, soak{quiet: quiet, end: pipelines.AfterCluster, workloads: r.soaking})
	if err != nil || quiet <= 0 || r.shape < shape.SoaksEndSeen {
		return err
	}
	// It ends with a look, as a batch does: what was measured beside it last is from before its end.
	return r.judgeBy(ctx, r.watched(), pipelines.During, nil, r.lookCluster)
}

func (r *machine) checkBefore(ctx workflow.Context) error {
	return r.judge(ctx, pipelines.BeforeCluster, nil, r.lookCluster)
}

func (r *machine) checkAfter(ctx workflow.Context) error {
	if !r.unit.Moved {
		return nil // nothing was changed here, so there is nothing to judge
	}
	return r.judge(ctx, pipelines.AfterCluster, nil, r.lookCluster)
}

// prune takes away what earlier versions left behind, or says that nothing needs it. It keeps nobody from arriving.
func (r *machine) prune(ctx workflow.Context) error {
	if r.shape < shape.Prunes || len(r.diff.Left) == 0 {
		return nil
	}
	req := step.PruneRequest{Ref: r.in.Ref, Objects: r.diff.Left, Delete: r.plan.Prune}
	found, err := near(r, step.Prune, "look at what earlier versions left", req).Get(ctx)
	if err != nil {
		r.note(nil, []api.Check{{Name: "prune", At: api.AtEnd, Verdict: api.Error, Advisory: true, Message: ask.MessageOf(err)}})
	}
	r.unit.Pruned, r.unit.Unneeded = found.Pruned, found.Unneeded
	return r.orders.ended()
}

// record frees the lease and writes down what runs here now.
func (r *machine) record(ctx workflow.Context) error {
	req := step.ReleaseRequest{Ref: r.in.Ref, Outcome: r.arrived(), Changes: r.diff.Changes}
	if _, err := do(ctx, r, near(r, step.Release, "record and free the lease", req)); err != nil {
		return err
	}
	r.locked = false
	return nil
}
