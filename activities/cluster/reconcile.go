package cluster

import (
	"context"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/step"
)

// Reconcile makes a Lease and the ledger agree on what runs in a cluster. Trusting the ledger, the Lease is written anew. Trusting the
// cluster, the ledger takes up again what it knows by the Lease's digest; where it knows nothing by it, it forgets what it had, and the
// next run takes what it finds for what was there before. No object but the Lease is touched. A Lease that a run holds disagrees with
// nobody: it is left as it is. Either way the next fence is above the Lease's.
func (a *Activities) Reconcile(ctx context.Context, req step.ReconcileRequest) (api.Reconciled, error) {
	present, err := a.Ledger.Deployment(ctx, req.Cluster, req.Subject)
	if err != nil && fault.CodeOf(err) != fault.NotFound {
		return api.Reconciled{}, err
	}
	c, err := a.Clusters.Cluster(ctx, req.Context)
	if err != nil {
		return api.Reconciled{}, err
	}
	there, err := kube.ReadLease(ctx, c, req.Subject)
	if err != nil {
		return api.Reconciled{}, err
	}
	if there.Installation != "" && there.Installation != a.Installation {
		return api.Reconciled{}, fault.New(fault.Conflict,
			"cannot reconcile %s in cluster %s: its Lease is installation %s's, run %s; this is installation %s",
			req.Subject, req.Cluster, there.Installation, there.Run, a.Installation)
	}
	out := api.Reconciled{
		Lease:  api.Recorded{Run: there.Run, Target: there.Digest, Held: there.State == kube.LeaseHeld},
		Ledger: recorded(present),
		Now:    recorded(present),
	}
	fence, err := a.Ledger.NextFence(ctx, req.Cluster, req.Subject, there.Fence)
	if err != nil {
		return out, err
	}
	if !a.denies(there, present) {
		out.Agreed = true
		return out, nil
	}
	if req.Trust == api.TrustCluster {
		if present, err = a.believe(ctx, req.Ref, there, fence); err != nil {
			return out, err
		}
		out.Now = recorded(present)
	}
	lease := kube.LeaseSpec{Subject: req.Subject, Installation: a.Installation, Run: there.Run, Digest: present.Target, Fence: fence}
	if present.Run != "" {
		lease.Run = present.Run
	}
	if _, err := kube.AcquireLease(ctx, c, lease); err != nil {
		return out, err
	}
	return out, kube.ReleaseLease(ctx, c, lease, present.Target)
}

// believe has the ledger say what a Lease says.
func (a *Activities) believe(ctx context.Context, ref step.Ref, there kube.Lease, fence int64) (ledger.Deployment, error) {
	known, err := a.Ledger.PastDeployment(ctx, ref.Cluster, ref.Subject, there.Digest)
	if there.Digest == "" || fault.CodeOf(err) == fault.NotFound {
		return ledger.Deployment{}, a.Ledger.RemoveDeployment(ctx, ref.Cluster, ref.Subject, there.Run)
	}
	if err != nil {
		return known, err
	}
	known.Fence, known.Since = fence, a.Clock.Now()
	return known, a.Ledger.SaveDeployment(ctx, known)
}

func recorded(d ledger.Deployment) api.Recorded {
	return api.Recorded{Run: d.Run, Version: d.Version, Target: d.Target}
}
