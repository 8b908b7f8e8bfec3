package server

import (
	"cmp"
	"context"

	"github.com/danielgtaylor/huma/v2"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/permit"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

func (s *server) lines(a huma.API, e *engine.Engine) {
	on(s, a, wire.MakeFreeze, s.freezing(), func(ctx context.Context, in *keyed[wire.FreezeBody]) (engine.Frozen, error) {
		b := in.Body
		return e.Freeze(ctx, api.Freeze{
			Scope: b.Scope, InFlight: cmp.Or(b.InFlight, api.PauseNow), Until: b.Until, By: name(ctx), Reason: b.Reason,
		})
	})
	on(s, a, wire.LiftFreeze, s.lifting(), func(ctx context.Context, in *wire.Lifting) (engine.Frozen, error) {
		return e.Unfreeze(ctx, in.Name, name(ctx), in.Body.Reason)
	})
	onPages(s, a, wire.ListFreezes, nobody[wire.FreezesQuery](),
		func(ctx context.Context, in *wire.FreezesQuery, p ledger.Page) (engine.Page[engine.KnownFreeze], error) {
			return e.FreezesPage(ctx, in.Lifted, partOf(ctx, p))
		})
	on(s, a, wire.Bypass, s.bypassing(), func(ctx context.Context, in *keyed[wire.BypassBody]) (engine.LetPass, error) {
		return e.Bypass(ctx, engine.BypassRequest{Of: in.Body.Of, For: in.Body.For, By: name(ctx), Reason: in.Body.Reason})
	})
	on(s, a, wire.ListPermits, nobody[wire.None](), func(ctx context.Context, _ *wire.None) ([]permit.Permit, error) {
		all, err := e.Permits(ctx)
		return seen(ctx, all, err, func(p permit.Permit) string { return p.Subject.String() })
	})
	on(s, a, wire.LetIn, ofRun(s, pipelines.RightOperate, func(in *keyed[wire.LetInBody]) string { return in.Body.Run }),
		func(ctx context.Context, in *keyed[wire.LetInBody]) (permit.Permit, error) {
			return e.LetIn(ctx, in.Body.Run, in.Body.Cluster, name(ctx), in.Body.Reason)
		})
}
