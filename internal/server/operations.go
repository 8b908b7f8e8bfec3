package server

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/bundle"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/permit"
	"sluice.dev/sluice/internal/report"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

// answer is what huma writes.
type answer[T any] struct{ Body T }

// on has an operation answered.
func on[In, Out any](a huma.API, op wire.Operation[In, Out], do func(context.Context, *In) (Out, error)) {
	asProblems()
	huma.Register(a, huma.Operation{
		OperationID: op.ID, Method: op.Method, Path: wire.Prefix + op.Path, Summary: op.Says, Tags: []string{op.Tag},
		MaxBodyBytes: maxBody, BodyReadTimeout: bodyWithin,
	}, func(ctx context.Context, in *In) (*answer[Out], error) {
		out, err := do(ctx, in)
		if err != nil {
			return nil, problemOf(err)
		}
		return &answer[Out]{out}, nil
	})
}

// register has every operation answered. What each does, the engine does.
func register(a huma.API, s *server) {
	e := s.Engine
	s.plans(a, e)
	s.runs(a, e)
	s.lines(a, e)
	s.documents(a, e)
	s.lists(a, e)
	s.watch(a, &feeds{of: map[string]*feed{}, engine: e, tick: func() (<-chan time.Time, func()) {
		t := s.Clock.NewTicker(s.LookEvery)
		return t.C(), t.Stop
	}})
}

func (s *server) plans(a huma.API, e *engine.Engine) {
	on(a, wire.Lint, func(_ context.Context, in *struct{ Body wire.LintBody }) (out wire.Linted, err error) {
		err = sent(in.Body.Sent, func(f engine.Files) error {
			docs, err := e.Documents(f)
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
	on(a, wire.MakePlan, func(ctx context.Context, in *struct {
		wire.Key
		Body wire.PlanBody
	}) (out engine.Planned, err error) {
		err = sent(in.Body.Sent, func(f engine.Files) error {
			planned, err := e.Plan(ctx, planRequest(ctx, in.Body, f))
			if err == nil {
				out = *planned
			}
			return err
		})
		return out, err
	})
	on(a, wire.CatchUp, func(ctx context.Context, in *struct {
		wire.Key
		Body wire.PlanBody
	}) (out engine.CatchUp, err error) {
		err = sent(in.Body.Sent, func(f engine.Files) error {
			made, err := e.CatchUp(ctx, planRequest(ctx, in.Body, f))
			if err == nil {
				out = *made
			}
			return err
		})
		return out, err
	})
	on(a, wire.ListPlans, func(ctx context.Context, in *wire.OfComponent) ([]engine.ListedPlan, error) {
		return e.Plans(ctx, in.Component, in.Limit)
	})
	on(a, wire.GetPlan, func(ctx context.Context, in *wire.ByHash) (engine.Planned, error) {
		planned, err := e.ShowPlan(ctx, in.Hash)
		if err != nil {
			return engine.Planned{}, err
		}
		return *planned, nil
	})
	on(a, wire.GetText, func(ctx context.Context, in *wire.TextByDigest) (wire.Text, error) {
		text, err := e.Text(ctx, in.Digest)
		return wire.Text{Text: text}, err
	})
}

func planRequest(ctx context.Context, b wire.PlanBody, f engine.Files) engine.PlanRequest {
	return engine.PlanRequest{
		Files: f, Component: b.Component, Version: b.Version, Pipeline: b.Pipeline, Params: b.Params, Only: b.Only, Exclude: b.Exclude,
		Reason: b.Reason, By: caller(ctx).Name,
	}
}

// sent has what somebody has sent be read from a folder of its own, which is gone afterwards.
func sent(s wire.Sent, read func(engine.Files) error) error {
	dir, err := os.MkdirTemp("", "sluice-")
	if err != nil {
		return fault.Wrap(fault.Internal, err, "cannot keep what was sent")
	}
	err = bundle.Unpack(s.Archive, dir)
	if err == nil {
		from := s.Origin
		if from == nil {
			from = &api.Origin{}
		}
		err = read(engine.Files{Paths: s.Paths, Root: dir, Origin: from})
	}
	return errors.Join(err, fault.Wrap(fault.Internal, os.RemoveAll(dir), "cannot take away what was sent"))
}

func (s *server) runs(a huma.API, e *engine.Engine) {
	on(a, wire.StartRun, func(ctx context.Context, in *struct {
		wire.Key
		Body wire.RunBody
	}) (wire.Started, error) {
		run, err := e.Run(ctx, engine.RunRequest{Plan: in.Body.Plan, By: caller(ctx).Name, Reason: in.Body.Reason, Anyway: in.Body.Anyway})
		var idle *engine.NothingToDo
		if errors.As(err, &idle) {
			return wire.Started{Idle: idle}, nil
		}
		return wire.Started{Run: &run}, err
	})
	on(a, wire.ListRuns, func(ctx context.Context, in *wire.RunsQuery) ([]engine.Listed, error) {
		q := engine.RunsQuery{Component: in.Component, After: in.After, Before: in.Before, Limit: in.Limit}
		for _, p := range in.Phases {
			q.Phases = append(q.Phases, api.Phase(p))
		}
		return e.Runs(ctx, q)
	})
	on(a, wire.GetRun, func(ctx context.Context, in *wire.ByRun) (engine.View, error) { return e.Status(ctx, in.Run) })
	on(a, wire.GetBlame, func(ctx context.Context, in *wire.ByRun) ([]engine.Blame, error) {
		view, err := e.Status(ctx, in.Run)
		if err != nil {
			return nil, err
		}
		return e.Blame(ctx, view)
	})
	on(a, wire.GetWhy, func(ctx context.Context, in *wire.About) (engine.Explanation, error) { return e.Why(ctx, in.Run, in.About) })
	on(a, wire.GetReport, func(ctx context.Context, in *wire.ByRun) (report.Facts, error) { return e.Report(ctx, in.Run) })
	on(a, wire.GetScales, func(ctx context.Context, in *wire.ByRun) (map[string]engine.Scale, error) { return e.Scales(ctx, in.Run) })
	on(a, wire.GetSoaks, func(ctx context.Context, in *wire.ByRun) (map[string]engine.Soaks, error) { return e.Soaks(ctx, in.Run) })
	on(a, wire.GetPage, func(ctx context.Context, in *wire.ByRun) (wire.Page, error) {
		return wire.Page{Address: e.Page(ctx, in.Run)}, nil
	})
	on(a, wire.TellRun, func(ctx context.Context, in *wire.Commanded) (api.Answer, error) {
		b := in.Body
		return e.Command(ctx, in.Run, wire.CommandOf(in.Name), api.Command{
			Who: caller(ctx).Name, Reason: b.Reason, ID: in.Key.Key, Scope: b.Scope, Plan: b.Plan,
			Abandon: b.Abandon, Failed: b.Failed, DryRun: b.DryRun,
		})
	})
	on(a, wire.Settle, func(ctx context.Context, in *wire.Settling) (engine.Settled, error) {
		return e.Settle(ctx, in.Run, caller(ctx).Name, in.Body.Reason)
	})
	on(a, wire.Reconcile, func(ctx context.Context, in *struct {
		wire.Key
		Body wire.ReconcileBody
	}) (api.Reconciled, error) {
		b := in.Body
		return e.Reconcile(ctx, engine.ReconcileRequest{
			Component: b.Component, Cluster: b.Cluster, Trust: b.Trust, By: caller(ctx).Name, Reason: b.Reason,
		})
	})
}

func (s *server) lines(a huma.API, e *engine.Engine) {
	on(a, wire.MakeFreeze, func(ctx context.Context, in *struct {
		wire.Key
		Body wire.FreezeBody
	}) (engine.Frozen, error) {
		b := in.Body
		return e.Freeze(ctx, api.Freeze{Scope: b.Scope, InFlight: b.InFlight, Until: b.Until, By: caller(ctx).Name, Reason: b.Reason})
	})
	on(a, wire.LiftFreeze, func(ctx context.Context, in *wire.Lifting) (engine.Frozen, error) {
		return e.Unfreeze(ctx, in.Name, caller(ctx).Name, in.Body.Reason)
	})
	on(a, wire.ListFreezes, func(ctx context.Context, in *wire.FreezesQuery) ([]engine.KnownFreeze, error) {
		return e.Freezes(ctx, in.Lifted, in.Limit)
	})
	on(a, wire.Bypass, func(ctx context.Context, in *struct {
		wire.Key
		Body wire.BypassBody
	}) (engine.LetPass, error) {
		return e.Bypass(ctx, engine.BypassRequest{Of: in.Body.Of, For: in.Body.For, By: caller(ctx).Name, Reason: in.Body.Reason})
	})
	on(a, wire.ListPermits, func(ctx context.Context, _ *wire.None) ([]permit.Permit, error) { return e.Permits(ctx) })
	on(a, wire.LetIn, func(ctx context.Context, in *struct {
		wire.Key
		Body wire.LetInBody
	}) (permit.Permit, error) {
		return e.LetIn(ctx, in.Body.Run, in.Body.Cluster, caller(ctx).Name, in.Body.Reason)
	})
}

func (s *server) documents(a huma.API, e *engine.Engine) {
	on(a, wire.Apply, func(ctx context.Context, in *struct {
		wire.Key
		Body wire.ApplyBody
	}) (out []engine.Applied, err error) {
		err = sent(in.Body.Sent, func(f engine.Files) error {
			out, err = e.Apply(ctx, f, caller(ctx).Name, in.Body.Reason)
			return err
		})
		return out, err
	})
	on(a, wire.ListKept, func(ctx context.Context, in *wire.ByKind) ([]ledger.Kept, error) { return e.Kept(ctx, in.Kind) })
	on(a, wire.Delete, func(ctx context.Context, in *wire.Deleting) (ledger.Kept, error) {
		return e.Delete(ctx, in.Kind, in.Name, caller(ctx).Name, in.Why)
	})
	on(a, wire.StartDrill, func(ctx context.Context, in *wire.Drilling[wire.DrillBody]) (out engine.KeptDrill, err error) {
		err = sent(in.Body.Sent, func(f engine.Files) error {
			out, err = e.StartDrill(ctx, engine.DrillRequest{Files: f, Name: in.Drill, By: caller(ctx).Name, Reason: in.Body.Reason})
			return err
		})
		return out, err
	})
	on(a, wire.StopDrill, func(ctx context.Context, in *wire.Drilling[wire.Why]) (wire.Stopped, error) {
		was, err := e.StopDrill(ctx, engine.DrillRequest{Name: in.Drill, By: caller(ctx).Name, Reason: in.Body.Reason})
		return wire.Stopped{Was: was}, err
	})
	on(a, wire.RunDrill, func(ctx context.Context, in *wire.Drilling[wire.DrillNow]) (api.Drilled, error) {
		return e.RunDrill(ctx, engine.DrillRequest{Name: in.Drill, By: caller(ctx).Name, Reason: in.Body.Reason}, false)
	})
	on(a, wire.ListDrills, func(ctx context.Context, _ *wire.None) ([]engine.KeptDrill, error) { return e.Drills(ctx) })
	on(a, wire.ListDrilled, func(ctx context.Context, in *wire.DrilledQuery) ([]api.Drilled, error) {
		return e.Drilled(ctx, in.Drill, in.Limit)
	})
}

func (s *server) lists(a huma.API, e *engine.Engine) {
	on(a, wire.Greet, func(context.Context, *wire.None) (wire.Greeting, error) {
		return wire.Greeting{Version: s.Version, Installation: s.Installation, Now: s.Clock.Now().UTC()}, nil
	})
	on(a, wire.Whoami, func(ctx context.Context, _ *wire.None) (wire.Caller, error) { return caller(ctx), nil })
	on(a, wire.ListAudit, func(ctx context.Context, in *wire.AuditQuery) ([]ledger.Entry, error) {
		return e.Audit(ctx, in.Object, in.Limit)
	})
	on(a, wire.ListChanges, func(ctx context.Context, in *wire.ChangesQuery) (engine.Changes, error) {
		return e.Changes(ctx, in.Name, in.Since)
	})
	on(a, wire.ListClusters, func(ctx context.Context, in *wire.OfComponent) ([]engine.Cluster, error) {
		return e.Clusters(ctx, in.Component)
	})
	on(a, wire.ListWorkers, func(ctx context.Context, _ *wire.None) ([]engine.Worker, error) { return e.Workers(ctx) })
	on(a, wire.ListNotices, func(ctx context.Context, in *wire.NoticesQuery) ([]ledger.Notice, error) {
		return e.Notices(ctx, in.Receiver, in.Limit)
	})
}
