package cluster

import (
	"context"
	"strconv"

	"go.temporal.io/sdk/activity"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/change"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
)

// Acquire takes the component's Lease in the cluster under a new fence, once ledger, Lease and plan agree on what runs
// there now.
func (a *Activities) Acquire(ctx context.Context, ref step.Ref) (step.Ref, error) {
	_, unit, _, err := a.unitOf(ctx, ref)
	if err != nil {
		return ref, err
	}
	present, err := a.Ledger.Deployment(ctx, ref.Cluster, ref.Subject)
	if err != nil && fault.CodeOf(err) != fault.NotFound {
		return ref, err
	}
	if err := change.Agrees(partOf(ref), unit, present); err != nil {
		return ref, err
	}
	c, err := a.Clusters.Cluster(ctx, ref.Context)
	if err != nil {
		return ref, err
	}
	there, err := kube.SeeLease(ctx, c, ref.Subject)
	if err != nil {
		return ref, err
	}
	if a.denies(there, present) { // where the watch is behind, the Lease itself says better
		if there, err = kube.ReadLease(ctx, c, ref.Subject); err != nil {
			return ref, err
		}
	}
	if a.denies(there, present) {
		return ref, fault.New(fault.Conflict, "cannot start in cluster %s: its Lease says that %.19s runs there since run %s, "+
			"the ledger says %q: one of them was restored from a backup; a person has to say which to trust",
			ref.Cluster, there.Digest, there.Run, present.Target)
	}
	if ref.Fence, err = a.Ledger.NextFence(ctx, ref.Cluster, ref.Subject, 0); err != nil {
		return ref, err
	}
	_, err = kube.AcquireLease(ctx, c, a.lease(ref, target(ref, unit)))
	return ref, err
}

// denies reports whether a Lease that no run holds says that something else runs than the ledger does.
func (a *Activities) denies(there kube.Lease, present ledger.Deployment) bool {
	return there.Installation == a.Installation && there.State == kube.LeaseFree && there.Digest != present.Target
}

func (a *Activities) lease(ref step.Ref, digest string) kube.LeaseSpec {
	return kube.LeaseSpec{Subject: ref.Subject, Installation: a.Installation, Run: ref.Run, Digest: digest, Fence: ref.Fence}
}

// fence returns a cluster that is written to only while the Lease is the unit's own and this attempt of what is asked the
// latest, and a context that ends once that is over. The function that it returns ends the watch, and puts why it was over
// in the place of what came of it: it was somebody else's turn, whatever a driver or a retry made of that.
func (a *Activities) fence(ctx context.Context, ref step.Ref) (context.Context, kube.Fenced, func(*error), error) {
	c, err := a.Clusters.Cluster(ctx, ref.Context)
	if err != nil {
		return ctx, kube.Fenced{}, nil, err
	}
	spec := a.lease(ref, "")
	spec.Try = tryOf(ctx)
	if err := kube.BeginTry(ctx, c, spec); err != nil {
		return ctx, kube.Fenced{}, nil, err
	}
	ctx, guard := kube.GuardLease(ctx, c, spec)
	return ctx, kube.Fence(c, guard), func(err *error) {
		guard.Close()
		if lost := guard.Lost(); lost != nil {
			*err = lost
		}
	}, nil
}

// tryOf is which attempt of which of its workflow's activities this is. Temporal numbers activities as they are asked for. Who goes
// without Temporal has a fence for each attempt.
func tryOf(ctx context.Context) kube.Try {
	if !activity.IsActivity(ctx) {
		return kube.Try{}
	}
	info := activity.GetInfo(ctx)
	number, _ := strconv.ParseInt(info.ActivityID, 10, 64)
	return kube.Try{Step: number, Attempt: int64(info.Attempt)}
}

func target(ref step.Ref, unit *plan.Unit) string {
	if ref.Back {
		return unit.WayBack.Target
	}
	return unit.Target
}

// Release records how the unit ended, and frees the Lease. What runs is written to the ledger first: a crash between the
// two is seen as this run's own Lease. At last it takes away what checks of the unit have left running: whoever measured them may be
// dead.
func (a *Activities) Release(ctx context.Context, req step.ReleaseRequest) (string, error) {
	_, unit, stage, err := a.unitOf(ctx, req.Ref)
	if err != nil {
		return "", err
	}
	if req.Outcome == api.PhaseSucceeded || req.Outcome == api.PhaseRolledBack {
		if err := a.overtaken(ctx, req.Ref); err != nil {
			return "", err // what runs here now is for the direct run to record
		}
	}
	end := change.Ending{Part: partOf(req.Ref), Plan: req.Plan, Unit: unit, Outcome: req.Outcome, Changes: req.Changes}
	runs, err := end.Record(ctx, a.Ledger, a.Clock)
	if err != nil {
		return "", err
	}
	c, err := a.Clusters.Cluster(ctx, req.Context)
	if err != nil {
		return "", err
	}
	err = kube.ReleaseLease(ctx, c, a.lease(req.Ref, target(req.Ref, unit)), runs)
	if code := fault.CodeOf(err); code == fault.NotFound || code == fault.Conflict {
		err = nil // it is gone, or a newer run has it: either way it is not ours to free
	}
	if err != nil {
		return runs, err
	}
	return runs, removePods(ctx, c, req.Run, stage.Rules.Checks)
}
