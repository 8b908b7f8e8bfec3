package cluster

import (
	"context"
	"time"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/step"
)

// ahead has a function refuse where its run was taken back without Temporal meanwhile. The Lease fences the clusters that were moved
// back; this keeps the run from going on in those that it had not come to. What stops, disarms, frees or takes back is not kept.
func ahead[Req interface{ Of() step.Ref }, Res any](
	a *Activities, do func(context.Context, Req) (Res, error),
) func(context.Context, Req) (Res, error) {
	return func(ctx context.Context, req Req) (out Res, err error) {
		if err := a.overtaken(ctx, req.Of()); err != nil {
			return out, err
		}
		return do(ctx, req)
	}
}

// overtaken is fault.Conflict where a run was taken back without Temporal since it began, with what settles it.
func (a *Activities) overtaken(ctx context.Context, ref step.Ref) error {
	by, err := a.Ledger.Overtaken(ctx, ref.Run)
	if fault.CodeOf(err) == fault.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	return fault.New(fault.Conflict, "cannot go on with %s in cluster %s: %s took %s back without Temporal at %s; settle it with: "+
		"sluice reconcile %s --reason TEXT", ref.Run, ref.Cluster, by.Name, by.Back, by.Started.UTC().Format(time.RFC3339), ref.Run)
}
