package remote

import (
	"context"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/wire"
)

// RunProbes has cases of probes run.
func (e *Engine) RunProbes(ctx context.Context, req engine.ProbeRequest) ([]api.Probed, error) {
	return ask(ctx, e.Client, wire.RunProbes, keyed[wire.ProbesBody]{Body: wire.ProbesBody{
		Why: wire.Why{Reason: req.Reason}, ProbeSubject: req.ProbeSubject,
		Clusters: req.Clusters, Group: req.Group, Nodes: req.Nodes, Cause: req.Key,
	}})
}

// ProbeRun is what has come by now of cases that were run under an ID.
func (e *Engine) ProbeRun(ctx context.Context, id string) (api.Probed, error) {
	parts := strings.Split(id, "/")
	if len(parts) != 3 {
		return api.Probed{}, fault.New(fault.Invalid, "cannot find probe run %q: its ID is CLUSTER/SUBJECT/KEY", id)
	}
	return ask(ctx, e.Client, wire.GetProbeRun, wire.ByProbeRun{Cluster: parts[0], Subject: parts[1], Cause: parts[2]})
}
