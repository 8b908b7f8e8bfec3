package server

import (
	"context"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

func (s *server) probeRuns(a huma.API, e *engine.Engine) {
	on(s, a, wire.RunProbes, all[keyed[wire.ProbesBody]](pipelines.RightOperate),
		func(ctx context.Context, in *keyed[wire.ProbesBody]) ([]api.Probed, error) {
			return e.RunProbes(ctx, engine.ProbeRequest{
				ProbeSubject: in.Body.ProbeSubject, Clusters: in.Body.Clusters, Group: in.Body.Group, Nodes: in.Body.Nodes,
				Key: in.Body.Cause, By: name(ctx), Reason: in.Body.Reason,
			})
		})
	on(s, a, wire.GetProbeRun, all[wire.ByProbeRun](pipelines.RightView), func(ctx context.Context, in *wire.ByProbeRun) (api.Probed, error) {
		return e.ProbeRun(ctx, strings.Join([]string{in.Cluster, in.Subject, in.Cause}, "/"))
	})
	on(s, a, wire.GetHealth, all[wire.HealthAsked](pipelines.RightView),
		func(ctx context.Context, in *wire.HealthAsked) (engine.HealthSignal, error) {
			return e.Health(ctx, in.Cluster, in.Since)
		})
}
