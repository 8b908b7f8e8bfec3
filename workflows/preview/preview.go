// Package preview looks at what a plan would change, in every cluster of it.
package preview

import (
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/workflows/ask"
	"sluice.dev/sluice/workflows/pace"
)

// Preview renders and compares a plan in every cluster, and stores what it saw beside the plan. It changes nothing
// anywhere. A cluster that cannot be looked at is part of what was seen.
func Preview(ctx workflow.Context, in api.PreviewInput) error {
	seen := make([]step.Seen, len(in.Clusters))
	slots := workflow.NewSemaphore(ctx, pace.Tuned().PreviewWindow)
	group := workflow.NewWaitGroup(ctx)
	var failed error
	for i, u := range in.Clusters {
		if err := slots.Acquire(ctx, 1); err != nil {
			return err
		}
		group.Add(1)
		workflow.GoNamed(ctx, u.Cluster, func(ctx workflow.Context) {
			defer group.Done()
			defer slots.Release(1)
			ref := step.Ref{Plan: in.Plan, Subject: in.Subject, Cluster: u.Cluster, Context: u.Context}
			digest, err := ask.For(step.Preview, "compare "+u.Cluster, step.DiffRequest{Ref: ref}).Near(u.Site).Get(ctx)
			seen[i].Cluster, seen[i].Digest = u.Cluster, digest
			switch {
			case err == nil:
			case ask.CodeOf(err) == fault.Unreachable:
				seen[i].Unreachable = ask.MessageOf(err)
			case failed == nil:
				failed = err
			}
		})
	}
	group.Wait(ctx)
	if failed != nil {
		return failed
	}
	_, err := ask.For(step.SaveLive, "keep what was seen", step.SaveLiveRequest{Plan: in.Plan, Clusters: seen}).Get(ctx)
	return err
}
