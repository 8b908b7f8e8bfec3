package server

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

func (s *server) lists(a huma.API, e *engine.Engine) {
	on(s, a, wire.Greet, nobody[wire.None](), func(context.Context, *wire.None) (wire.Greeting, error) {
		return wire.Greeting{Version: s.Version, Installation: s.Installation, Now: s.Clock.Now().UTC()}, nil
	})
	on(s, a, wire.GetLogins, anybody[wire.None](), func(context.Context, *wire.None) ([]wire.LoginAt, error) { return s.Logins, nil })
	on(s, a, wire.Whoami, nobody[wire.None](),
		func(ctx context.Context, _ *wire.None) (wire.Caller, error) { return who(ctx).caller(), nil })
	on(s, a, wire.CanI, nobody[wire.Whether](), s.canI)
	onPages(s, a, wire.ListAudit, s.auditing(),
		func(ctx context.Context, in *wire.AuditQuery, p ledger.Page) (engine.Page[ledger.Entry], error) {
			return e.AuditPage(ctx, in.Object, p)
		})
	on(s, a, wire.ListChanges, all[wire.ChangesQuery](pipelines.RightView),
		func(ctx context.Context, in *wire.ChangesQuery) (engine.Changes, error) {
			return e.Changes(ctx, in.Name, in.Since)
		})
	on(s, a, wire.ListClusters, nobody[wire.OfComponent](),
		func(ctx context.Context, in *wire.OfComponent) ([]engine.Cluster, error) {
			all, err := e.Clusters(ctx, in.Component)
			return seen(ctx, all, err, func(c engine.Cluster) string { return c.Component })
		})
	on(s, a, wire.ListWorkers, all[wire.None](pipelines.RightView),
		func(ctx context.Context, _ *wire.None) ([]engine.Worker, error) { return e.Workers(ctx) })
	onPages(s, a, wire.ListNotices, all[wire.NoticesQuery](pipelines.RightView),
		func(ctx context.Context, in *wire.NoticesQuery, p ledger.Page) (engine.Page[ledger.Notice], error) {
			return e.NoticesPage(ctx, in.Receiver, p)
		})
}

// canI explains whether somebody may do something, to himself. What a run touches he hears only where he may see it.
func (s *server) canI(ctx context.Context, in *wire.Whether) (access.Explanation, error) {
	a, right := who(ctx), pipelines.Right(in.Right)
	if a.anyone {
		return access.Explanation{Subject: a.Who(), Right: right, Allowed: true, By: []string{"the state folder"}}, nil
	}
	o := access.Object{Component: in.Component}
	if in.Environment != "" {
		o.Environments = []string{in.Environment}
	}
	if in.Run != "" {
		seen := ofRun(s, pipelines.RightView, func(in *wire.Whether) string { return in.Run })
		if err := seen.met(ctx, s, in); err != nil {
			return access.Explanation{}, err
		}
		var err error
		if o, err = seen.over(ctx, in); err != nil {
			return access.Explanation{}, err
		}
	}
	return s.Grants().Explain(a.Subject, right, o), nil
}
