package direct

import (
	"context"
	"time"

	"sluice.dev/sluice/activities/cluster/pulse"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/workflows/pace"
)

// back is the way back of one unit. It begins with what is there, whoever has left it so: each step is idempotent, and the fence that
// Acquire raises keeps off whoever had begun before.
func (t Taker) back(ctx context.Context, ref step.Ref, unit *api.UnitStatus) error {
	ref, err := short(ctx, t, t.Near.Acquire, ref)
	if err != nil {
		return err
	}
	told, err := short(ctx, t, t.Records.LoadUnit, ref)
	if err != nil {
		return err
	}
	unit.Version, unit.Moved = told.WayBack.Version, true
	diff, err := short(ctx, t, t.Near.Diff, step.DiffRequest{Ref: ref})
	if err != nil {
		return err
	}
	for _, no := range diff.Cluster.Refusals {
		return fault.New(fault.Refused, "%s: %s", no.Object, no.Message)
	}
	if err := t.apply(ctx, ref, diff, false, unit); err != nil {
		return err
	}
	for _, w := range diff.Cluster.Workloads {
		if err := t.move(ctx, step.WorkloadRequest{Ref: ref, Changes: diff.Changes, Object: w.Object}, told, w); err != nil {
			return err
		}
	}
	if err := t.apply(ctx, ref, diff, true, unit); err != nil {
		return err
	}
	_, err = short(ctx, t, t.Near.Release, step.ReleaseRequest{Ref: ref, Outcome: api.PhaseRolledBack, Changes: diff.Changes})
	return err
}

func (t Taker) apply(ctx context.Context, ref step.Ref, diff step.DiffResult, after bool, unit *api.UnitStatus) error {
	if !diff.Writes(after) {
		return nil
	}
	done, err := short(ctx, t, t.Near.Apply, step.ApplyRequest{Ref: ref, Changes: diff.Changes, After: after})
	unit.Kept = append(unit.Kept, done.Kept...)
	return err
}

// move takes a workload back, batch by batch, and gives it to its owner.
func (t Taker) move(ctx context.Context, about step.WorkloadRequest, told step.UnitPlan, w plan.Division) error {
	var err error
	if about.State, err = short(ctx, t, t.Near.Prepare, about); err != nil {
		return err
	}
	for i, set := range w.NodeSets {
		for _, b := range set.Batches {
			if b.Skipped != "" {
				continue
			}
			req := told.Batch(about, w, i, b)
			req.Deadline = time.Duration(told.Rules.ProgressDeadline)
			seen, err := tried(ctx, t, t.Near.Advance, req)
			if err != nil {
				return err
			}
			if bad, held := plan.FirstBad(seen.Checks); held {
				return fault.New(fault.Refused, "%s: %s", about.Object, bad.Message)
			}
		}
	}
	_, err = short(ctx, t, t.Near.Finish, about)
	return err
}

// short does what is soon done, as a workflow would have it done.
func short[Req, Res any](ctx context.Context, t Taker, do func(context.Context, Req) (Res, error), req Req) (Res, error) {
	return tried(ctx, t, func(ctx context.Context, req Req) (Res, error) {
		ctx, cancel := context.WithTimeout(ctx, pace.Tuned().ShortActivity)
		defer cancel()
		return do(ctx, req)
	}, req)
}

// tried tries again what went wrong by a fault of our own, as Temporal would.
func tried[Req, Res any](ctx context.Context, t Taker, do func(context.Context, Req) (Res, error), req Req) (Res, error) {
	for try := 1; ; try++ {
		done, err := do(ctx, req)
		if err == nil || ctx.Err() != nil || fault.CodeOf(err) != fault.Internal || try >= int(pace.Tuned().Attempts) {
			return done, err
		}
		if pulse.Pause(ctx, t.Clock, pace.BackOff(try)) != nil {
			return done, err
		}
	}
}
