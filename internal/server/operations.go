package server

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/bundle"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/permit"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/report"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

// keyed is what is sent to change something.
type keyed[Body any] = struct {
	wire.Key
	Body Body
}

// answer is what huma writes.
type answer[T any] struct{ Body T }

// on has an operation answered.
func on[In, Out any](
	s *server, a huma.API, op wire.Operation[In, Out], needs need[In], do func(context.Context, *In) (Out, error),
) {
	asProblems()
	huma.Register(a, huma.Operation{
		OperationID: op.ID, Method: op.Method, Path: wire.Prefix + op.Path, Summary: op.Says, Tags: []string{op.Tag},
		MaxBodyBytes: maxBody, BodyReadTimeout: bodyWithin,
	}, func(ctx context.Context, in *In) (*answer[Out], error) {
		if err := needs.met(ctx, s, in); err != nil {
			return nil, problemOf(err)
		}
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
	on(s, a, wire.Lint, nobody[struct{ Body wire.LintBody }](), func(_ context.Context, in *struct{ Body wire.LintBody }) (out wire.Linted, err error) {
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
	on(s, a, wire.MakePlan, nobody[keyed[wire.PlanBody]](), func(ctx context.Context, in *keyed[wire.PlanBody]) (out engine.Planned, err error) {
		err = sent(in.Body.Sent, func(f engine.Files) error {
			planned, err := e.Plan(ctx, s.planRequest(ctx, in.Body, f))
			if err == nil {
				out = *planned
			}
			return err
		})
		return out, err
	})
	on(s, a, wire.CatchUp, nobody[keyed[wire.PlanBody]](), func(ctx context.Context, in *keyed[wire.PlanBody]) (out engine.CatchUp, err error) {
		err = sent(in.Body.Sent, func(f engine.Files) error {
			made, err := e.CatchUp(ctx, s.planRequest(ctx, in.Body, f))
			if err == nil {
				out = *made
			}
			return err
		})
		return out, err
	})
	on(s, a, wire.ListPlans, nobody[wire.OfComponent](), func(ctx context.Context, in *wire.OfComponent) ([]engine.ListedPlan, error) {
		all, err := e.Plans(ctx, in.Component, in.Limit)
		return seen(ctx, all, err, func(p engine.ListedPlan) string { return p.Subject.String() })
	})
	on(s, a, wire.GetPlan, ofPlan(s, pipelines.RightView, func(in *wire.ByHash) string { return in.Hash }), func(ctx context.Context, in *wire.ByHash) (engine.Planned, error) {
		planned, err := e.ShowPlan(ctx, in.Hash)
		if err != nil {
			return engine.Planned{}, err
		}
		return *planned, nil
	})
	on(s, a, wire.GetText, all[wire.TextByDigest](pipelines.RightView), func(ctx context.Context, in *wire.TextByDigest) (wire.Text, error) {
		text, err := e.Text(ctx, in.Digest)
		return wire.Text{Text: text}, err
	})
}

func (s *server) planRequest(ctx context.Context, b wire.PlanBody, f engine.Files) engine.PlanRequest {
	return engine.PlanRequest{
		Files: f, Component: b.Component, Version: b.Version, Pipeline: b.Pipeline, Params: b.Params, Only: b.Only, Exclude: b.Exclude,
		Reason: b.Reason, By: name(ctx), May: func(p *plan.Plan) error { return s.may(ctx, pipelines.RightPlan, planObject(p)) },
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
	on(s, a, wire.StartRun, ofPlan(s, pipelines.RightOperate, func(in *keyed[wire.RunBody]) string { return in.Body.Plan }), func(ctx context.Context, in *keyed[wire.RunBody]) (wire.Started, error) {
		run, err := e.Run(ctx, engine.RunRequest{Plan: in.Body.Plan, By: name(ctx), Reason: in.Body.Reason, Anyway: in.Body.Anyway})
		var idle *engine.NothingToDo
		if errors.As(err, &idle) {
			return wire.Started{Idle: idle}, nil
		}
		return wire.Started{Run: &run}, err
	})
	on(s, a, wire.ListRuns, nobody[wire.RunsQuery](), func(ctx context.Context, in *wire.RunsQuery) ([]engine.Listed, error) {
		q := engine.RunsQuery{Component: in.Component, After: in.After, Before: in.Before, Limit: in.Limit}
		for _, p := range in.Phases {
			q.Phases = append(q.Phases, api.Phase(p))
		}
		all, err := e.Runs(ctx, q)
		return seen(ctx, all, err, func(r engine.Listed) string { return r.Subject.String() })
	})
	on(s, a, wire.GetRun, ofRun(s, pipelines.RightView, byRun), func(ctx context.Context, in *wire.ByRun) (engine.View, error) { return e.Status(ctx, in.Run) })
	on(s, a, wire.GetBlame, ofRun(s, pipelines.RightView, byRun), func(ctx context.Context, in *wire.ByRun) ([]engine.Blame, error) {
		view, err := e.Status(ctx, in.Run)
		if err != nil {
			return nil, err
		}
		return e.Blame(ctx, view)
	})
	on(s, a, wire.GetWhy, ofRun(s, pipelines.RightView, func(in *wire.About) string { return in.Run }), func(ctx context.Context, in *wire.About) (engine.Explanation, error) {
		return e.Why(ctx, in.Run, in.About)
	})
	on(s, a, wire.GetReport, ofRun(s, pipelines.RightView, byRun), func(ctx context.Context, in *wire.ByRun) (report.Facts, error) { return e.Report(ctx, in.Run) })
	on(s, a, wire.GetScales, ofRun(s, pipelines.RightView, byRun), func(ctx context.Context, in *wire.ByRun) (map[string]engine.Scale, error) {
		return e.Scales(ctx, in.Run)
	})
	on(s, a, wire.GetSoaks, ofRun(s, pipelines.RightView, byRun), func(ctx context.Context, in *wire.ByRun) (map[string]engine.Soaks, error) {
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
	on(s, a, wire.Settle, ofRun(s, pipelines.RightOperate, func(in *wire.Settling) string { return in.Run }), func(ctx context.Context, in *wire.Settling) (engine.Settled, error) {
		return e.Settle(ctx, in.Run, name(ctx), in.Body.Reason)
	})
	on(s, a, wire.Reconcile, ofComponent(pipelines.RightOperate, func(in *keyed[wire.ReconcileBody]) string { return in.Body.Component }), func(ctx context.Context, in *keyed[wire.ReconcileBody]) (api.Reconciled, error) {
		b := in.Body
		return e.Reconcile(ctx, engine.ReconcileRequest{
			Component: b.Component, Cluster: b.Cluster, Trust: b.Trust, By: name(ctx), Reason: b.Reason,
		})
	})
}

func (s *server) lines(a huma.API, e *engine.Engine) {
	on(s, a, wire.MakeFreeze, freezing(), func(ctx context.Context, in *keyed[wire.FreezeBody]) (engine.Frozen, error) {
		b := in.Body
		return e.Freeze(ctx, api.Freeze{Scope: b.Scope, InFlight: b.InFlight, Until: b.Until, By: name(ctx), Reason: b.Reason})
	})
	on(s, a, wire.LiftFreeze, s.lifting(), func(ctx context.Context, in *wire.Lifting) (engine.Frozen, error) {
		return e.Unfreeze(ctx, in.Name, name(ctx), in.Body.Reason)
	})
	on(s, a, wire.ListFreezes, nobody[wire.FreezesQuery](), func(ctx context.Context, in *wire.FreezesQuery) ([]engine.KnownFreeze, error) {
		all, err := e.Freezes(ctx, in.Lifted, in.Limit)
		return seen(ctx, all, err, func(f engine.KnownFreeze) string { return freezeObject(f.Scope).Component })
	})
	on(s, a, wire.Bypass, s.bypassing(), func(ctx context.Context, in *keyed[wire.BypassBody]) (engine.LetPass, error) {
		return e.Bypass(ctx, engine.BypassRequest{Of: in.Body.Of, For: in.Body.For, By: name(ctx), Reason: in.Body.Reason})
	})
	on(s, a, wire.ListPermits, nobody[wire.None](), func(ctx context.Context, _ *wire.None) ([]permit.Permit, error) {
		all, err := e.Permits(ctx)
		return seen(ctx, all, err, func(p permit.Permit) string { return p.Subject.String() })
	})
	on(s, a, wire.LetIn, ofRun(s, pipelines.RightOperate, func(in *keyed[wire.LetInBody]) string { return in.Body.Run }), func(ctx context.Context, in *keyed[wire.LetInBody]) (permit.Permit, error) {
		return e.LetIn(ctx, in.Body.Run, in.Body.Cluster, name(ctx), in.Body.Reason)
	})
}

func (s *server) documents(a huma.API, e *engine.Engine) {
	on(s, a, wire.Apply, nobody[keyed[wire.ApplyBody]](), func(ctx context.Context, in *keyed[wire.ApplyBody]) (out []engine.Applied, err error) {
		err = sent(in.Body.Sent, func(f engine.Files) error {
			if err := s.mayKeep(ctx, f); err != nil {
				return err
			}
			out, err = e.Apply(ctx, f, name(ctx), in.Body.Reason)
			return err
		})
		return out, err
	})
	on(s, a, wire.ListKept, all[wire.ByKind](pipelines.RightView), func(ctx context.Context, in *wire.ByKind) ([]ledger.Kept, error) { return e.Kept(ctx, in.Kind) })
	on(s, a, wire.Delete, nobody[wire.Deleting](), func(ctx context.Context, in *wire.Deleting) (ledger.Kept, error) {
		if err := s.may(ctx, rightOf(in.Kind), access.Object{}); err != nil {
			return ledger.Kept{}, err
		}
		return e.Delete(ctx, in.Kind, in.Name, name(ctx), in.Why)
	})
	on(s, a, wire.StartDrill, all[wire.Drilling[wire.DrillBody]](pipelines.RightOperate), func(ctx context.Context, in *wire.Drilling[wire.DrillBody]) (out engine.KeptDrill, err error) {
		err = sent(in.Body.Sent, func(f engine.Files) error {
			out, err = e.StartDrill(ctx, engine.DrillRequest{Files: f, Name: in.Drill, By: name(ctx), Reason: in.Body.Reason})
			return err
		})
		return out, err
	})
	on(s, a, wire.StopDrill, all[wire.Drilling[wire.Why]](pipelines.RightOperate), func(ctx context.Context, in *wire.Drilling[wire.Why]) (wire.Stopped, error) {
		was, err := e.StopDrill(ctx, engine.DrillRequest{Name: in.Drill, By: name(ctx), Reason: in.Body.Reason})
		return wire.Stopped{Was: was}, err
	})
	on(s, a, wire.RunDrill, all[wire.Drilling[wire.DrillNow]](pipelines.RightOperate), func(ctx context.Context, in *wire.Drilling[wire.DrillNow]) (api.Drilled, error) {
		return e.RunDrill(ctx, engine.DrillRequest{Name: in.Drill, By: name(ctx), Reason: in.Body.Reason}, false)
	})
	on(s, a, wire.ListDrills, all[wire.None](pipelines.RightView), func(ctx context.Context, _ *wire.None) ([]engine.KeptDrill, error) { return e.Drills(ctx) })
	on(s, a, wire.ListDrilled, all[wire.DrilledQuery](pipelines.RightView), func(ctx context.Context, in *wire.DrilledQuery) ([]api.Drilled, error) {
		return e.Drilled(ctx, in.Drill, in.Limit)
	})
}

func (s *server) lists(a huma.API, e *engine.Engine) {
	on(s, a, wire.Greet, nobody[wire.None](), func(context.Context, *wire.None) (wire.Greeting, error) {
		return wire.Greeting{Version: s.Version, Installation: s.Installation, Now: s.Clock.Now().UTC()}, nil
	})
	on(s, a, wire.Whoami, nobody[wire.None](), func(ctx context.Context, _ *wire.None) (wire.Caller, error) { return who(ctx).caller(), nil })
	on(s, a, wire.ListAudit, s.auditing(), func(ctx context.Context, in *wire.AuditQuery) ([]ledger.Entry, error) {
		return e.Audit(ctx, in.Object, in.Limit)
	})
	on(s, a, wire.ListChanges, all[wire.ChangesQuery](pipelines.RightView), func(ctx context.Context, in *wire.ChangesQuery) (engine.Changes, error) {
		return e.Changes(ctx, in.Name, in.Since)
	})
	on(s, a, wire.ListClusters, nobody[wire.OfComponent](), func(ctx context.Context, in *wire.OfComponent) ([]engine.Cluster, error) {
		all, err := e.Clusters(ctx, in.Component)
		return seen(ctx, all, err, func(c engine.Cluster) string { return c.Component })
	})
	on(s, a, wire.ListWorkers, all[wire.None](pipelines.RightView), func(ctx context.Context, _ *wire.None) ([]engine.Worker, error) { return e.Workers(ctx) })
	on(s, a, wire.ListNotices, all[wire.NoticesQuery](pipelines.RightView), func(ctx context.Context, in *wire.NoticesQuery) ([]ledger.Notice, error) {
		return e.Notices(ctx, in.Receiver, in.Limit)
	})
}
