package server

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

func (s *server) documents(a huma.API, e *engine.Engine) {
	on(s, a, wire.Apply, s.keeping(),
		func(ctx context.Context, in *keyed[wire.ApplyBody]) (out []engine.Applied, err error) {
			err = s.sent(ctx, &in.Body.Sent, func(f engine.Files) error {
				out, err = e.Apply(ctx, engine.ApplyRequest{Files: f, By: name(ctx), Reason: in.Body.Reason, May: func(kind string) error {
					return s.may(ctx, access.RightToKeep(kind), access.Object{})
				}})
				return err
			})
			return out, err
		})
	on(s, a, wire.ListKept, all[wire.ByKind](pipelines.RightView),
		func(ctx context.Context, in *wire.ByKind) ([]ledger.Kept, error) { return e.Kept(ctx, in.Kind) })
	on(s, a, wire.Delete, nobody[wire.Deleting](), func(ctx context.Context, in *wire.Deleting) (ledger.Kept, error) {
		if err := s.may(ctx, access.RightToKeep(in.Kind), access.Object{}); err != nil {
			return ledger.Kept{}, err
		}
		return e.Delete(ctx, in.Kind, in.Name, name(ctx), in.Why)
	})
	on(s, a, wire.ListSources, all[wire.None](pipelines.RightView),
		func(ctx context.Context, _ *wire.None) ([]engine.KeptSource, error) { return e.Sources(ctx) })
	on(s, a, wire.SyncSource, all[wire.Syncing](pipelines.RightOperate),
		func(ctx context.Context, in *wire.Syncing) (engine.Synced, error) {
			return e.SyncSource(ctx, engine.SyncRequest{Source: in.Source, Accept: in.Body.Accept, By: name(ctx), Reason: in.Body.Reason})
		})
	on(s, a, wire.StartDrill, all[wire.Drilling[wire.DrillBody]](pipelines.RightOperate),
		func(ctx context.Context, in *wire.Drilling[wire.DrillBody]) (out engine.KeptDrill, err error) {
			err = s.sent(ctx, &in.Body.Sent, func(f engine.Files) error {
				out, err = e.StartDrill(ctx, engine.DrillRequest{Files: f, Name: in.Drill, By: name(ctx), Reason: in.Body.Reason})
				return err
			})
			return out, err
		})
	on(s, a, wire.StopDrill, all[wire.Drilling[wire.Why]](pipelines.RightOperate),
		func(ctx context.Context, in *wire.Drilling[wire.Why]) (wire.Stopped, error) {
			was, err := e.StopDrill(ctx, engine.DrillRequest{Name: in.Drill, By: name(ctx), Reason: in.Body.Reason})
			return wire.Stopped{Was: was}, err
		})
	on(s, a, wire.RunDrill, all[wire.Drilling[wire.DrillNow]](pipelines.RightOperate),
		func(ctx context.Context, in *wire.Drilling[wire.DrillNow]) (api.Drilled, error) {
			return e.RunDrill(ctx, engine.DrillRequest{Name: in.Drill, By: name(ctx), Reason: in.Body.Reason}, false)
		})
	on(s, a, wire.ListDrills, all[wire.None](pipelines.RightView),
		func(ctx context.Context, _ *wire.None) ([]engine.KeptDrill, error) { return e.Drills(ctx) })
	onPages(s, a, wire.ListDrilled, all[wire.DrilledQuery](pipelines.RightView),
		func(ctx context.Context, in *wire.DrilledQuery, p ledger.Page) (engine.Page[api.Drilled], error) {
			return e.DrilledPage(ctx, in.Drill, p)
		})
}
