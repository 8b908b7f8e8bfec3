package cluster

import (
	"context"

	"sluice.dev/sluice/internal/change"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/templates"
)

// Apply writes the objects of one phase that are not workloads, in the order of the change set. On the way back it also
// takes away what the run made that is taken back.
func (a *Activities) Apply(ctx context.Context, req step.ApplyRequest) (step.ApplyResult, error) {
	return a.applied(ctx, req, change.Writer.Write)
}

// Unapply takes back what this run wrote that is not a workload.
func (a *Activities) Unapply(ctx context.Context, req step.ApplyRequest) (step.ApplyResult, error) {
	return a.applied(ctx, req, change.Writer.TakeBack)
}

type inPhase func(change.Writer, context.Context, change.Set, templates.PhaseName) (change.Entries, error)

func (a *Activities) applied(ctx context.Context, req step.ApplyRequest, write inPhase) (out step.ApplyResult, err error) {
	set, err := a.changes(ctx, req.Changes)
	if err != nil {
		return out, err
	}
	ctx, c, done, err := a.fence(ctx, req.Ref)
	if err != nil {
		return out, err
	}
	defer done(&err)
	entries, err := write(a.writer(req.Ref, c), ctx, set, phaseOf(req))
	return step.ApplyResult{
		Created: entries.Of(change.Created), Patched: entries.Of(change.Patched),
		Deleted: entries.Of(change.Deleted), Kept: entries.Of(change.Kept),
	}, err
}

// Prune looks at digest-named objects that earlier versions left behind, and takes away those that nothing needs any more where
// it is told to.
func (a *Activities) Prune(ctx context.Context, req step.PruneRequest) (out step.PruneResult, err error) {
	ctx, c, done, err := a.fence(ctx, req.Ref)
	if err != nil {
		return out, err
	}
	defer done(&err)
	entries, err := a.writer(req.Ref, c).Prune(ctx, req.Objects, req.Delete)
	return step.PruneResult{Pruned: entries.Of(change.Deleted), Unneeded: entries.Of(change.Unneeded)}, err
}

func (a *Activities) writer(ref step.Ref, c change.Cluster) change.Writer {
	var p *plan.Plan // a way back reads it once, the way forward never
	return change.Writer{
		Part: partOf(ref), Cluster: c, Records: a.Ledger, Clock: a.Clock,
		Ignore: func(ctx context.Context) (_ []pipelines.IgnoreRule, err error) {
			if p == nil {
				if p, _, _, err = a.unitOf(ctx, ref); err != nil {
					return nil, err
				}
			}
			return p.Ignore, nil
		},
	}
}

// partOf is in whose name a request is done.
func partOf(ref step.Ref) change.Part {
	return change.Part{
		Run: ref.Run, Subject: ref.Subject, Cluster: ref.Cluster, Fence: ref.Fence, Back: ref.Back, BackOf: ref.BackOf,
	}
}

func phaseOf(req step.ApplyRequest) templates.PhaseName {
	if req.After {
		return templates.After
	}
	return templates.Before
}

func (a *Activities) changes(ctx context.Context, digest string) (change.Set, error) {
	var set change.Set
	err := change.Load(ctx, a.Ledger, digest, &set)
	return set, err
}
