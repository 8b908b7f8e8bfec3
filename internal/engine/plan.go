package engine

import (
	"context"
	"encoding/json"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/planstore"
	"sluice.dev/sluice/internal/policy"
	"sluice.dev/sluice/pipelines"
)

// PlanRequest says what to plan. Paths and Component are required.
type PlanRequest struct {
	Files
	Component string
	Version   string            // needed where the files have several
	Pipeline  string            // default: the component's
	Params    map[string]string // as on a command line
	Only      []string          // clusters and cluster groups; all where empty
	Exclude   []string          // clusters and cluster groups that are left out
	Reason    string            // for the audit, and why stages are bypassed where any is
	By        string
	// May says why who asks may not have this plan; nil: he may. It is asked before the plan is kept and clusters are looked at, of which
	// nothing is seen then, and once more with what was seen.
	May func(*plan.Plan, *plan.Live) error
}

func (r PlanRequest) may(p *plan.Plan, seen *plan.Live) error {
	if r.May == nil {
		return nil
	}
	return r.May(p, seen)
}

// Planned is a plan with what it would change now.
type Planned struct {
	Hash   string      `json:"hash"`
	Stored ledger.Plan `json:"stored"`
	Plan   *plan.Plan  `json:"plan"`
	Live   *plan.Live  `json:"live,omitempty"` // nil where the clusters were not looked at
	TooBig string      `json:"tooBig,omitempty"`
	Counts plan.Counts `json:"counts,omitzero"` // of what was seen in the clusters
	Busy   []Busy      `json:"busy,omitempty"`  // open runs that move clusters of this plan, when it was asked for
	// Bypasses are what others have let runs of the plan pass, when it was asked for.
	Bypasses []ledger.Bypass `json:"bypasses,omitempty"`
	// Undercuts are the rules of policies that it undercuts, when it was asked for, and that nobody has let it pass.
	Undercuts []policy.Broken `json:"undercuts,omitempty"`
}

// Plan resolves files into a plan, stores it, and looks at every cluster that it would change. It changes nothing in any
// of them. A plan that cannot run is returned without an error: ask it why with Refused. Errors are fault.Invalid and
// fault.NotFound for what the files say, fault.Unreachable where no server or worker answers.
func (e *Engine) Plan(ctx context.Context, req PlanRequest) (*Planned, error) {
	req.By = e.named(req.By)
	docs, err := e.Documents(ctx, req.Files)
	if err != nil {
		return nil, err
	}
	return e.planOf(ctx, docs, req)
}

// planOf is Plan of files that were read.
func (e *Engine) planOf(ctx context.Context, docs *pipelines.Documents, req PlanRequest) (*Planned, error) {
	p, err := e.build(ctx, docs, req)
	if err != nil {
		return nil, err
	}
	if err := req.may(p, nil); err != nil {
		return nil, err
	}
	if err := e.reached(ctx, p); err != nil {
		return nil, err
	}
	if err := plan.CheckBounds(p); err != nil {
		if err := req.may(p, &plan.Live{}); err != nil {
			return nil, err
		}
		return &Planned{Hash: plan.Hash(p), Plan: p, TooBig: err.Error()}, nil
	}
	from, err := e.originOf(req.Files)
	if err != nil {
		return nil, err
	}
	policies, err := e.storePolicies(ctx, docs)
	if err != nil {
		return nil, err
	}
	return e.seen(ctx, p, ledger.Plan{Origin: from, Policies: policies}, req)
}

// seen stores a plan with where it and its policies are from, and looks at every cluster of it.
func (e *Engine) seen(ctx context.Context, p *plan.Plan, from ledger.Plan, req PlanRequest) (*Planned, error) {
	planned := &Planned{Hash: plan.Hash(p), Plan: p}
	var err error
	if planned.Stored, err = e.store(ctx, p, from, req.By); err != nil {
		return nil, err
	}
	if planned.Live, planned.Stored.Live, err = e.preview(ctx, p, planned.Hash); err != nil {
		return nil, err
	}
	if err := req.may(p, planned.Live); err != nil {
		return nil, err
	}
	if err := e.prove(ctx, planned); err != nil {
		return nil, err
	}
	if err := e.ledger.SavePlan(ctx, planned.Stored); err != nil {
		return nil, err
	}
	planned.Counts = plan.Count(p, planned.Live)
	if planned.Busy, err = e.busy(ctx, planned); err != nil {
		return nil, err
	}
	if err := e.judge(ctx, planned, ledger.Run{}); err != nil {
		return nil, err
	}
	return planned, e.audit(ctx, ledger.Entry{
		Who: req.By, Command: "plan", Object: planned.Hash, Scope: req.scope(), Reason: req.Reason, Outcome: outcomeOf(planned),
	})
}

// prove has a plan be refused whose probes would hold what others change and have not proven that they may.
func (e *Engine) prove(ctx context.Context, planned *Planned) error {
	if found, err := e.unproven(ctx, planned.Live); err != nil || !found {
		return err
	}
	live, err := json.Marshal(planned.Live)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "cannot encode what was seen")
	}
	planned.Stored.Live, err = e.ledger.PutBlob(ctx, live)
	return err
}

// scope says in which way a plan is narrowed.
func (r PlanRequest) scope() string {
	scope := strings.Join(r.Only, ", ")
	if len(r.Exclude) > 0 {
		scope = strings.TrimSpace(scope + " without " + strings.Join(r.Exclude, ", "))
	}
	return scope
}

func outcomeOf(p *Planned) string {
	if err := p.Refused(); err != nil {
		return ledger.Refused + err.Error()
	}
	return "accepted"
}

// build resolves the documents; nothing but blobs is written.
func (e *Engine) build(ctx context.Context, docs *pipelines.Documents, req PlanRequest) (*plan.Plan, error) {
	component, err := chooseComponent(docs, req.Component, req.Version)
	if err != nil {
		return nil, err
	}
	pipeline, err := choosePipeline(docs, component, req.Pipeline)
	if err != nil {
		return nil, err
	}
	params, err := pipelines.BindParams(pipeline, req.Params)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "cannot plan %s with pipeline %s", component.Metadata.Name, pipeline.Metadata.Name)
	}
	only, err := narrow(docs, req.Only, "narrow the plan to")
	if err != nil {
		return nil, err
	}
	exclude, err := narrow(docs, req.Exclude, "leave out of the plan")
	if err != nil {
		return nil, err
	}
	template, err := packed(ctx, e.ledger, component)
	if err != nil {
		return nil, err
	}
	back, err := e.waysBack(ctx, api.Component(component.Metadata.Name))
	if err != nil {
		return nil, err
	}
	var passed map[string]string
	if len(req.Only)+len(req.Exclude) > 0 {
		if passed, err = e.passed(ctx, api.Component(component.Metadata.Name)); err != nil {
			return nil, err
		}
	}
	seen, err := e.sighted(ctx)
	if err != nil {
		return nil, err
	}
	return plan.Build(plan.Input{
		Seen: seen, Documents: docs, Pipeline: pipeline, Component: component, Params: params, Template: template,
		Values: newValuesStore(ctx, e.ledger, component).digest, WayBack: back, Only: only, Exclude: exclude, Passed: passed, Reason: req.Reason,
	})
}

// waysBack lists, by cluster, what a component has there now: where a run would go back to.
func (e *Engine) waysBack(ctx context.Context, subject api.Subject) (map[string]plan.WayBack, error) {
	present, err := e.ledger.ListDeployments(ctx, "", subject)
	if err != nil {
		return nil, err
	}
	back := make(map[string]plan.WayBack, len(present))
	for _, d := range present {
		back[d.Cluster] = plan.WayBack{Version: d.Version, Target: d.Target, Objects: d.Objects, Run: d.Run}
	}
	return back, nil
}

// store keeps a plan that is about to be looked at. One that is there stays whose it was, under the policies that it was made under, until
// it is clear that whoever plans it again may have it.
func (e *Engine) store(ctx context.Context, p *plan.Plan, from ledger.Plan, by string) (ledger.Plan, error) {
	body, err := plan.Encode(p)
	if err != nil {
		return ledger.Plan{}, err
	}
	digest, err := e.ledger.PutBlob(ctx, body)
	if err != nil {
		return ledger.Plan{}, err
	}
	stored := ledger.Plan{
		Hash: plan.Hash(p), Subject: p.Subject, Version: p.Version, Pipeline: p.Pipeline,
		Body: digest, Origin: from.Origin, Policies: from.Policies, Created: e.now(), By: by,
	}
	known, err := e.ledger.Plan(ctx, stored.Hash)
	switch {
	case fault.CodeOf(err) == fault.NotFound:
		return stored, e.ledger.SavePlan(ctx, stored)
	case err != nil:
		return ledger.Plan{}, err
	}
	known.Live = ""
	return stored, e.ledger.SavePlan(ctx, known)
}

// LoadPlan returns a stored plan by hash or by a prefix of it, with what was seen in the clusters when it was made.
func (e *Engine) LoadPlan(ctx context.Context, hash string) (*Planned, error) {
	stored, p, err := e.stored(ctx, hash)
	if err != nil {
		return nil, err
	}
	planned := &Planned{Hash: stored.Hash, Stored: stored, Plan: p}
	if stored.Live == "" {
		return planned, nil
	}
	planned.Live = &plan.Live{}
	if err := e.read(ctx, stored.Live, planned.Live); err != nil {
		return nil, err
	}
	planned.Counts = plan.Count(p, planned.Live)
	return planned, nil
}

// ShowPlan is LoadPlan for somebody who reads it: with the runs that move its clusters now. Where Temporal cannot be
// asked, those that the ledger calls open are named.
func (e *Engine) ShowPlan(ctx context.Context, hash string) (*Planned, error) {
	planned, err := e.LoadPlan(ctx, hash)
	if err != nil {
		return nil, err
	}
	if planned.Bypasses, err = e.ledger.Bypasses(ctx, planned.Hash); err != nil {
		return nil, err
	}
	if planned.Busy, err = e.busy(ctx, planned); err != nil {
		return nil, err
	}
	return planned, e.judge(ctx, planned, ledger.Run{})
}

// stored reads a plan as it was made, and not what was seen in the clusters.
func (e *Engine) stored(ctx context.Context, hash string) (ledger.Plan, *plan.Plan, error) {
	stored, p, err := planstore.Load(ctx, e.ledger, hash)
	if err != nil && stored.Hash != "" {
		err = fault.Wrap(fault.CodeOf(err), err, "cannot read plan %.12s", stored.Hash)
	}
	return stored, p, err
}

// ReadPlan is a plan as it was made, by hash or by a prefix of it.
func (e *Engine) ReadPlan(ctx context.Context, hash string) (*plan.Plan, error) {
	_, p, err := e.stored(ctx, hash)
	return p, err
}

// Text returns a text that is kept under a digest, such as a diff.
func (e *Engine) Text(ctx context.Context, digest string) (string, error) {
	data, err := e.ledger.Blob(ctx, digest)
	return string(data), err
}
