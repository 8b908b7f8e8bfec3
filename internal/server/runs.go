package server

import (
	"context"
	"errors"

	"github.com/danielgtaylor/huma/v2"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/report"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

func (s *server) runs(a huma.API, e *engine.Engine) {
	on(s, a, wire.StartRun, ofPlan(s, pipelines.RightOperate, func(in *keyed[wire.RunBody]) string { return in.Body.Plan }),
		func(ctx context.Context, in *keyed[wire.RunBody]) (wire.Started, error) {
			run, err := e.Run(ctx, engine.RunRequest{
				Plan: in.Body.Plan, By: name(ctx), Reason: in.Body.Reason, Anyway: in.Body.Anyway, Request: requestOf(ctx, in.Key),
				May: func(p *plan.Plan, live *plan.Live) error {
					return s.mayHave(ctx, pipelines.RightOperate, p, live, false)
				},
			})
			var idle *engine.NothingToDo
			if errors.As(err, &idle) {
				return wire.Started{Idle: idle}, nil
			}
			return wire.Started{Run: &run}, err
		})
	onPages(s, a, wire.ListRuns, nobody[wire.RunsQuery](),
		func(ctx context.Context, in *wire.RunsQuery, p ledger.Page) (engine.Page[engine.Listed], error) {
			q := engine.RunsQuery{Component: in.Component, After: in.After, Before: in.Before}
			for _, p := range in.Phases {
				q.Phases = append(q.Phases, api.Phase(p))
			}
			return e.RunsPage(ctx, q, partOf(ctx, p))
		})
	on(s, a, wire.GetRun, ofRun(s, pipelines.RightView, byRun),
		func(ctx context.Context, in *wire.ByRun) (engine.View, error) { return e.Status(ctx, in.Run) })
	on(s, a, wire.GetBlame, ofRun(s, pipelines.RightView, byRun),
		func(ctx context.Context, in *wire.ByRun) ([]engine.Blame, error) {
			view, err := e.Status(ctx, in.Run)
			if err != nil {
				return nil, err
			}
			return e.Blame(ctx, view)
		})
	on(s, a, wire.GetWhy, ofRun(s, pipelines.RightView, func(in *wire.About) string { return in.Run }),
		func(ctx context.Context, in *wire.About) (engine.Explanation, error) {
			return e.Why(ctx, in.Run, in.About)
		})
	on(s, a, wire.GetReport, ofRun(s, pipelines.RightView, byRun),
		func(ctx context.Context, in *wire.ByRun) (report.Facts, error) { return e.Report(ctx, in.Run) })
	on(s, a, wire.GetScales, ofRun(s, pipelines.RightView, byRun),
		func(ctx context.Context, in *wire.ByRun) (map[string]engine.Scale, error) {
			return e.Scales(ctx, in.Run)
		})
	on(s, a, wire.GetSoaks, ofRun(s, pipelines.RightView, byRun),
		func(ctx context.Context, in *wire.ByRun) (map[string]engine.Soaks, error) {
			return e.Soaks(ctx, in.Run)
		})
	on(s, a, wire.GetPage, ofRun(s, pipelines.RightView, byRun), func(ctx context.Context, in *wire.ByRun) (wire.Page, error) {
		return wire.Page{Address: e.Page(ctx, in.Run)}, nil
	})
	on(s, a, wire.TellRun, s.telling(), func(ctx context.Context, in *wire.Commanded) (api.Answer, error) {
		b := in.Body
		return e.Command(ctx, in.Run, wire.CommandOf(in.Name), api.Command{
			Who: name(ctx), Reason: b.Reason, ID: in.Key.Key, Scope: b.Scope, Plan: b.Plan,
			Abandon: b.Abandon, Failed: b.Failed, DryRun: b.DryRun,
		})
	})
	on(s, a, wire.Settle, ofRun(s, pipelines.RightOperate, func(in *wire.Settling) string { return in.Run }),
		func(ctx context.Context, in *wire.Settling) (engine.Settled, error) {
			return e.Settle(ctx, in.Run, name(ctx), in.Body.Reason)
		})
	on(s, a, wire.Reconcile, ofComponent(pipelines.RightOperate, func(in *keyed[wire.ReconcileBody]) string { return in.Body.Component }),
		func(ctx context.Context, in *keyed[wire.ReconcileBody]) (api.Reconciled, error) {
			b := in.Body
			return e.Reconcile(ctx, engine.ReconcileRequest{
				Component: b.Component, Cluster: b.Cluster, Trust: b.Trust, By: name(ctx), Reason: b.Reason,
			})
		})
}
