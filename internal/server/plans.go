package server

import (
	"context"
	"errors"

	"github.com/danielgtaylor/huma/v2"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

func (s *server) plans(a huma.API, e *engine.Engine) {
	on(s, a, wire.Lint, nobody[struct{ Body wire.LintBody }](),
		func(ctx context.Context, in *struct{ Body wire.LintBody }) (out wire.Linted, err error) {
			err = s.sent(ctx, &in.Body.Sent, func(f engine.Files) error {
				docs, err := s.linted(ctx, f)
				var wrong pipelines.Diagnostics
				if errors.As(err, &wrong) {
					out.Errors = mistakes(wrong)
					return nil
				}
				if err == nil {
					out.Files = len(docs.Files)
				}
				return err
			})
			return out, err
		})
	on(s, a, wire.MakePlan, s.planning(),
		func(ctx context.Context, in *keyed[wire.PlanBody]) (out engine.Planned, err error) {
			err = s.sent(ctx, &in.Body.Sent, func(f engine.Files) error {
				planned, err := e.Plan(ctx, s.planRequest(ctx, in.Body, f))
				if err == nil {
					out = *planned
				}
				return err
			})
			return out, err
		})
	on(s, a, wire.CatchUp, s.planning(),
		func(ctx context.Context, in *keyed[wire.PlanBody]) (out engine.CatchUp, err error) {
			err = s.sent(ctx, &in.Body.Sent, func(f engine.Files) error {
				made, err := e.CatchUp(ctx, s.planRequest(ctx, in.Body, f))
				if err == nil {
					out = *made
				}
				return err
			})
			return out, err
		})
	onPages(s, a, wire.ListPlans, nobody[wire.PlansQuery](),
		func(ctx context.Context, in *wire.PlansQuery, p ledger.Page) (engine.Page[engine.ListedPlan], error) {
			return e.PlansPage(ctx, in.Component, partOf(ctx, p))
		})
	on(s, a, wire.GetPlan, ofPlan(s, pipelines.RightView, func(in *wire.ByHash) string { return in.Hash }),
		func(ctx context.Context, in *wire.ByHash) (engine.Planned, error) {
			planned, err := e.ShowPlan(ctx, in.Hash)
			if err == nil { // it may have been looked at anew since it was asked about
				err = s.mayHave(ctx, pipelines.RightView, planned.Plan, planned.Live, false)
			}
			if err != nil {
				return engine.Planned{}, err
			}
			return *planned, nil
		})
	on(s, a, wire.GetText, all[wire.TextByDigest](pipelines.RightView),
		func(ctx context.Context, in *wire.TextByDigest) (wire.Text, error) {
			text, err := e.Text(ctx, in.Digest)
			return wire.Text{Text: text}, err
		})
}

// linted checks documents as those of a plan are. Whoever may plan nothing hears nothing of what the installation has.
func (s *server) linted(ctx context.Context, f engine.Files) (*pipelines.Documents, error) {
	if a := who(ctx); a.anyone || a.held.Has(pipelines.RightPlan) {
		return s.Engine.Documents(ctx, f)
	}
	return s.Engine.DocumentsAlone(f)
}

func (s *server) planRequest(ctx context.Context, b wire.PlanBody, f engine.Files) engine.PlanRequest {
	return engine.PlanRequest{
		Files: f, Component: b.Component, Version: b.Version, Pipeline: b.Pipeline, Params: b.Params, Only: b.Only, Exclude: b.Exclude,
		Reason: b.Reason, By: name(ctx), May: s.planned(ctx),
	}
}

// planned is what it takes to have a plan. Before its clusters were seen, a right in some namespace will do.
func (s *server) planned(ctx context.Context) func(*plan.Plan, *plan.Live) error {
	return func(p *plan.Plan, live *plan.Live) error {
		return s.mayHave(ctx, pipelines.RightPlan, p, live, live == nil)
	}
}
