// Package probing has cases of probes run that somebody waits for: a person, or whoever has posted an event.
package probing

import (
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/workflows/ask"
)

// Probe has the worker near the cluster run the cases, and keeps what came of them for whoever asks.
func Probe(ctx workflow.Context, in api.ProbeInput) (api.Probed, error) {
	out := api.Probed{ID: in.ID(), Cluster: in.Cluster, By: in.By, Started: workflow.Now(ctx)}
	if err := workflow.SetQueryHandler(ctx, api.QueryProbed, func() (api.Probed, error) { return out, nil }); err != nil {
		return out, err
	}
	runs, err := ask.For(step.RunCases, "run "+in.String()+" in "+in.Cluster, in).Near(in.Site).Get(ctx)
	out.Runs, out.Ended = runs, workflow.Now(ctx)
	if err != nil {
		out.Problem = ask.MessageOf(err)
	}
	return out, nil
}
