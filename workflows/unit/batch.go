package unit

import (
	"slices"
	"strconv"
	"time"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/workflows/shape"
)

// open adds a batch to the unit's status and returns it.
func (r *machine) open(ctx workflow.Context, w plan.Division, set int, b plan.Batch) *api.BatchStatus {
	sets := w.NodeSets[set]
	at := api.BatchStatus{
		Path: r.unit.Path + "/" + sets.Name + "/" + strconv.Itoa(b.Number), Workload: w.Object, NodeSet: sets.Name,
		Number: b.Number, Size: b.Size, Target: b.Target, Total: sets.Pods, Phase: api.PhaseWaiting, Started: workflow.Now(ctx).UTC(),
	}
	if n := len(r.unit.Batches); n > 0 && r.unit.Batches[n-1].Workload == at.Workload && r.unit.Batches[n-1].NodeSet == at.NodeSet {
		at.Updated, at.Ready = r.unit.Batches[n-1].Updated, r.unit.Batches[n-1].Ready // counts are cumulative
	}
	if b.Skipped != "" {
		at.Phase, at.Skipped, at.Ended = api.PhaseSkipped, b.Skipped, at.Started
	}
	r.unit.Batches = append(r.unit.Batches, at)
	return &r.unit.Batches[len(r.unit.Batches)-1]
}

// isFirst reports whether no batch of the unit moved before this one.
func (r *machine) isFirst(at *api.BatchStatus) bool {
	for i := range r.unit.Batches {
		if b := &r.unit.Batches[i]; b.Skipped == "" {
			return b == at
		}
	}
	return false
}

func (r *machine) finishBatch(ctx workflow.Context, at *api.BatchStatus) {
	at.Phase, at.Ended = endOf(at), workflow.Now(ctx).UTC()
}

// advance moves the batch until its pods are there and available. A check that fails meanwhile stops the unit, and so does a
// batch that does not get on.
func (r *machine) advance(ctx workflow.Context, at *api.BatchStatus, req step.AdvanceRequest) error {
	req.Checks = pipelines.Quick(r.checksAt(pipelines.During))
	req.Deadline = time.Duration(r.plan.Rules.ProgressDeadline)
	for {
		at.Phase = api.PhaseMoving
		if borne(at) {
			req.Checks = nil // they have said it
		}
		r.set(ctx, api.PhaseMoving, &api.Waiting{Kind: api.WaitPods, Name: at.Path})
		req.State = r.stateOf(req.Object)
		seen, err := r.push(ctx, at, req)
		if err != nil {
			return err
		}
		if seen.Facts.Workload.Name != "" {
			at.Updated, at.Ready = int(seen.Facts.Batch.Updated), int(seen.Facts.Batch.UpdatedReady)
			at.Lost = int(seen.Facts.Batch.Lost)
			at.Nodes = r.newNodes(at, seen.Facts.Batch.Nodes)
		}
		at.Stuck = seen.Stuck
		r.note(at, seen.Checks)
		bad, held := plan.FirstBad(seen.Checks)
		if !held || len(seen.Behind) > 0 {
			r.leftBehind(req.Object, seen.Behind)
		}
		if !held {
			gotOn(at)
			if bad, held = r.tooManyBehind(seen.Behind); !held {
				return nil
			}
		}
		phase := api.PhaseHeld
		if bad.Name == api.Progress && seen.Stalled {
			phase = api.PhaseStalled
		}
		if err := r.stand(ctx, phase, bad, at); err != nil {
			return err
		}
	}
}

// newNodes are those of a batch that none before it of its node set had: what is seen is all that the set has.
func (r *machine) newNodes(at *api.BatchStatus, seen []string) []string {
	var all []string
	for _, node := range seen {
		had := slices.ContainsFunc(r.unit.Batches, func(b api.BatchStatus) bool {
			return b.Path != at.Path && b.Workload == at.Workload && b.NodeSet == at.NodeSet && slices.Contains(b.Nodes, node)
		})
		if !had {
			all = append(all, node)
		}
	}
	return all
}

// gotOn takes back that a batch had stalled.
func gotOn(at *api.BatchStatus) {
	at.Stuck = nil
	i := slices.IndexFunc(at.Checks, func(c api.Check) bool { return c.Name == api.Progress && c.Verdict == api.Inconclusive })
	if i >= 0 {
		at.Checks[i].Verdict, at.Checks[i].Message = api.Passed, "it had stalled, and went on"
	}
}

// push moves a batch to its end, under the orders that do obeys. Each time that it begins anew, after a pause or once its
// cluster is back within reach, it has its whole deadline again.
func (r *machine) push(ctx workflow.Context, at *api.BatchStatus, req step.AdvanceRequest) (api.Facts, error) {
	c := near(r, step.Advance, "move batch "+at.Path, req)
	if r.shape < shape.StallsHold || req.Deadline <= 0 {
		return do(ctx, r, c)
	}
	return doing(ctx, r, c, func(ctx workflow.Context) (api.Facts, error) { return r.guarded(ctx, c, at, req) })
}
