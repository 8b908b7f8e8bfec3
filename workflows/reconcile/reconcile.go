// Package reconcile makes the Lease of a component in a cluster and the ledger agree, when a person has said which of them to trust.
package reconcile

import (
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/workflows/ask"
)

// Reconcile has the worker near the cluster write what both are to say.
func Reconcile(ctx workflow.Context, in api.ReconcileInput) (api.Reconciled, error) {
	ref := step.Ref{Subject: in.Subject, Cluster: in.Cluster, Context: in.Context}
	return ask.For(step.Reconcile, "reconcile "+in.Cluster, step.ReconcileRequest{Ref: ref, Trust: in.Trust}).Near(in.Site).Get(ctx)
}
