// Package store holds the activities of the ledger: they read plans for workflows, slice by slice, and write down what
// workflows have decided. Each is idempotent under its request.
package store

import (
	"context"
	"encoding/json"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/permit"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/planstore"
	"sluice.dev/sluice/internal/serve"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// Records is what workflows have written down, and read. It is wide because plans, runs, clusters, freezes, permits and orders are kept
// apart; it lists nothing, makes no run and cannot say what is deployed.
type Records interface {
	ledger.Blobs
	Plan(ctx context.Context, hash string) (ledger.Plan, error)
	SavePlan(ctx context.Context, p ledger.Plan) error
	Run(ctx context.Context, name string) (ledger.Run, error)
	SaveRun(ctx context.Context, r ledger.Run) error
	SaveObservation(ctx context.Context, o ledger.Observation) error
	AddFreeze(ctx context.Context, f api.Freeze) (api.Freeze, error)
	AddEntry(ctx context.Context, e ledger.Entry) error
	Enter(ctx context.Context, p permit.Permit, limits []permit.Limit, now time.Time) (permit.Admission, error)
	Trouble(ctx context.Context, p permit.Permit, why string, now time.Time) error
	Leave(ctx context.Context, run, cluster string, at time.Time) error
	PermitRevision(ctx context.Context) (int64, error)
	NoteOutcome(ctx context.Context, o ledger.Outcome) error
	ListKept(ctx context.Context, kind string) ([]ledger.Kept, error)
}

// Activities are the central activities. All fields are required.
type Activities struct {
	Ledger Records
	Checks *check.Runner
	Clock  clock.WithTicker
}

// Register has the activities of the ledger, and gates, done here.
func (a *Activities) Register(r serve.Registry) {
	serve.Handle(r, step.LoadRun, a.LoadRun)
	serve.Handle(r, step.LoadUnit, a.LoadUnit)
	serve.Handle(r, step.SaveLive, a.SaveLive)
	serve.Handle(r, step.SaveUnit, a.SaveUnit)
	serve.Handle(r, step.NoteFailure, a.NoteFailure)
	serve.Handle(r, step.SaveRun, a.SaveRun)
	serve.Handle(r, step.FreezeVersion, a.FreezeVersion)
	serve.Handle(r, step.Enter, a.Enter)
	serve.Handle(r, step.Trouble, a.Trouble)
	serve.Handle(r, step.AddAudit, a.AddAudit)
	serve.Handle(r, step.Unobserved, a.Unobserved)
	serve.Handle(r, step.Evaluate, a.Evaluate)
	serve.Handle(r, step.Whether, a.Whether)
}

// Whether tells whether a task's conditions hold.
func (a *Activities) Whether(ctx context.Context, req step.WhetherRequest) (bool, error) {
	holds, err := a.Checks.Whether(ctx, req)
	return holds, fault.Wrap(fault.Invalid, err, "cannot tell whether the task runs")
}

// Evaluate runs gates. It never fails: what could not be judged is a verdict.
func (a *Activities) Evaluate(ctx context.Context, req step.EvaluateRequest) ([]api.Check, error) {
	return a.Checks.Evaluate(ctx, req), nil
}

// LoadRun returns the part of a plan that a run needs.
func (a *Activities) LoadRun(ctx context.Context, hash string) (step.RunPlan, error) {
	stored, p, err := planstore.Load(ctx, a.Ledger, hash)
	if err != nil {
		return step.RunPlan{}, err
	}
	out := step.RunPlan{
		Subject: p.Subject, Version: p.Version, Pipeline: p.Pipeline, OnFailure: p.OnFailure, Rollback: p.Rollback,
		MaxFailures: p.MaxFailures,
		Origin:      stored.Origin, Checks: p.Checks,
	}
	live, err := a.live(ctx, stored)
	if err != nil {
		return step.RunPlan{}, err
	}
	for _, s := range p.Stages {
		out.Stages = append(out.Stages, runStage(s, live))
	}
	if p.Tasks.Any() {
		out.Tasks, out.Params = p.Tasks, p.Params
	}
	return out, nil
}

// live is what was seen for a plan; nil where nobody has looked.
func (a *Activities) live(ctx context.Context, stored ledger.Plan) (*plan.Live, error) {
	if stored.Live == "" {
		return nil, nil
	}
	data, err := a.Ledger.Blob(ctx, stored.Live)
	if err != nil {
		return nil, err
	}
	seen := &plan.Live{}
	return seen, fault.Wrap(fault.Internal, json.Unmarshal(data, seen), "cannot read what was seen for plan %.12s", stored.Hash)
}

// runStage leaves out of a stage what only its units need, so that a run with hundreds of units stays small.
func runStage(s plan.StagePlan, live *plan.Live) step.RunStage {
	out := step.RunStage{
		Name: s.Name, Skipped: s.Skipped, Approvals: s.Approvals, Approvers: s.Approvers,
		MaxFailures: s.MaxFailures, MaxUnreachable: s.MaxUnreachable,
		SoakGroup: time.Duration(s.Rules.Soak.Group), SoakStage: time.Duration(s.Rules.Soak.Stage),
	}
	for _, c := range s.Rules.Checks {
		out.Looks = out.Looks || c.RunsAt(pipelines.During) && !c.Measured()
		out.Watches = out.Watches || c.RunsAt(pipelines.During) && c.Measured()
		out.MakesPods = out.MakesPods || c.RunsAt(pipelines.During) && c.MakesPods()
		ofGroup := c.RunsAt(pipelines.BeforeGroup) || c.RunsAt(pipelines.AfterGroup)
		ofStage := c.RunsAt(pipelines.BeforeStage) || c.RunsAt(pipelines.AfterStage)
		if ofGroup || ofStage {
			out.Checks = append(out.Checks, c)
		}
	}
	for _, g := range s.Groups {
		slim := g.Slim()
		for i := range slim.Units {
			slim.Units[i].WayBack = live.WayBack(&slim.Units[i])
		}
		out.Groups = append(out.Groups, slim)
	}
	return out
}

// LoadUnit returns the part of a plan that one cluster needs.
func (a *Activities) LoadUnit(ctx context.Context, ref step.Ref) (step.UnitPlan, error) {
	_, p, err := planstore.Load(ctx, a.Ledger, ref.Plan)
	if err != nil {
		return step.UnitPlan{}, err
	}
	u, s, ok := p.Unit(ref.Cluster)
	if !ok {
		return step.UnitPlan{}, fault.New(fault.Invalid, "cannot find cluster %s in plan %.12s", ref.Cluster, ref.Plan)
	}
	run, err := a.Ledger.Run(ctx, ref.Run)
	if err != nil && fault.CodeOf(err) != fault.NotFound { // who started it is nobody then
		return step.UnitPlan{}, err
	}
	out := step.UnitPlan{
		Unit: rule.Unit{
			Path: u.Path, Stage: s.Name, Group: u.Group, Cluster: u.Cluster, Environment: u.Environment,
			BusinessSide: u.BusinessSide, NetworkDomain: u.NetworkDomain, Region: u.Region, Labels: u.Labels,
		},
		Change: rule.Change{
			Component: p.Subject.String(), Version: p.Version, Previous: u.WayBack.Version, Pipeline: p.Pipeline, Plan: ref.Plan, Run: ref.Run,
			By: run.By,
		},
		Rules: s.Rules, WayBack: u.WayBack, Target: u.Target, Rollback: p.Rollback, Prune: p.Prune,
	}
	if ref.Back {
		out.Rules = s.Rules.Back()
		out.Change.Version, out.Change.Previous, out.Target = u.WayBack.Version, p.Version, u.WayBack.Target
	}
	return out, nil
}

// SaveLive stores what was seen in the clusters beside a plan.
func (a *Activities) SaveLive(ctx context.Context, req step.SaveLiveRequest) (string, error) {
	live := plan.Live{Plan: req.Plan}
	for _, seen := range req.Clusters {
		if seen.Unreachable != "" {
			live.Clusters = append(live.Clusters, plan.ClusterDiff{Cluster: seen.Cluster, Unreachable: seen.Unreachable})
			continue
		}
		data, err := a.Ledger.Blob(ctx, seen.Digest)
		if err != nil {
			return "", err
		}
		var c plan.ClusterDiff
		if err := json.Unmarshal(data, &c); err != nil {
			return "", fault.Wrap(fault.Internal, err, "cannot read what was seen for plan %.12s", req.Plan)
		}
		live.Clusters = append(live.Clusters, c)
	}
	digest, err := a.put(ctx, live)
	if err != nil {
		return "", err
	}
	stored, err := a.Ledger.Plan(ctx, req.Plan)
	if err != nil {
		return "", err
	}
	stored.Live = digest
	return digest, a.Ledger.SavePlan(ctx, stored)
}

// SaveUnit stores how a unit ended, and returns the blob digest.
func (a *Activities) SaveUnit(ctx context.Context, req step.SaveUnitRequest) (string, error) {
	if err := a.noteUnit(ctx, req.Ref, &req.Record.UnitStatus); err != nil {
		return "", err
	}
	record, err := a.put(ctx, req.Record)
	if err != nil {
		return "", err
	}
	return record, a.Ledger.Leave(ctx, req.Run, req.Cluster, req.At)
}

// SaveRun writes down how a run ended.
func (a *Activities) SaveRun(ctx context.Context, run api.RunStatus) (string, error) {
	if err := a.noteRun(ctx, &run); err != nil {
		return "", err
	}
	report, err := a.put(ctx, run)
	if err != nil {
		return "", err
	}
	stored, err := a.Ledger.Run(ctx, run.Name)
	if err != nil {
		return "", err
	}
	stored.Phase, stored.Ended, stored.Report = string(run.Phase), run.Ended, report
	return report, a.Ledger.SaveRun(ctx, stored)
}

// AddAudit writes a command down.
func (a *Activities) AddAudit(ctx context.Context, req step.AuditRequest) (string, error) {
	return "", a.Ledger.AddEntry(ctx, ledger.Entry{
		At: a.Clock.Now().UTC(), Who: req.Who, Command: req.Command, Object: req.Run, Scope: req.Scope, Reason: req.Reason, Outcome: req.Outcome,
	})
}

// Unobserved notes that a cluster is out of reach.
func (a *Activities) Unobserved(ctx context.Context, ref step.Ref) (string, error) {
	away := ledger.Observation{Cluster: ref.Cluster, Subject: ref.Subject, Run: ref.Run, Unreachable: true}
	return "", a.Ledger.SaveObservation(ctx, away)
}

func (a *Activities) put(ctx context.Context, v any) (string, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "cannot encode %T", v)
	}
	return a.Ledger.PutBlob(ctx, data)
}
