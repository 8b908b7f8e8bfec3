package server

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

func (s *server) probes(a huma.API, e *engine.Engine) {
	asked := func(in *wire.ProbesQuery) engine.ProbesQuery {
		return engine.ProbesQuery{Cluster: in.Cluster, Case: in.Case, Target: in.Named(), Failing: in.Failing}
	}
	onPages(s, a, wire.ListProbes, all[wire.ProbesQuery](pipelines.RightView),
		func(ctx context.Context, in *wire.ProbesQuery, p ledger.Page) (engine.Page[engine.KnownProbe], error) {
			return e.ProbesPage(ctx, asked(in), p)
		})
	onPages(s, a, wire.ListProbeOutcomes, all[wire.ProbesQuery](pipelines.RightView),
		func(ctx context.Context, in *wire.ProbesQuery, p ledger.Page) (engine.Page[ledger.ProbeOutcome], error) {
			return e.ProbeOutcomesPage(ctx, asked(in), p)
		})
	on(s, a, wire.ExplainProbe, all[wire.ProbeAsked](pipelines.RightView),
		func(ctx context.Context, in *wire.ProbeAsked) (engine.ProbeExplanation, error) {
			return e.ExplainProbe(ctx, engine.ProbesQuery{Cluster: in.Cluster, Case: in.Case, Target: in.Named()})
		})
	on(s, a, wire.CompareProbes, all[wire.CompareQuery](pipelines.RightView),
		func(ctx context.Context, in *wire.CompareQuery) (engine.Compared, error) {
			return e.CompareProbes(ctx, engine.CompareRequest{Case: in.Case, Rule: in.Rule})
		})
	on(s, a, wire.ListProbeNoise, all[wire.NoiseQuery](pipelines.RightView),
		func(ctx context.Context, in *wire.NoiseQuery) ([]ledger.ProbeNoise, error) {
			return e.ProbeNoise(ctx, in.Case, in.Weeks)
		})
	on(s, a, wire.LabelProbe, all[wire.Labelling](pipelines.RightOperate),
		func(ctx context.Context, in *wire.Labelling) (ledger.ProbeOutcome, error) {
			return e.LabelProbe(ctx, engine.LabelRequest{
				Cluster: in.Body.Cluster, Run: in.Run, FalsePositive: in.Body.FalsePositive, By: name(ctx), Because: in.Body.Because,
			})
		})
}
