package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

// DrillRequest names a drill. Paths, which declare it and all that it is about, are needed to start one.
type DrillRequest struct {
	Files
	Name   string
	By     string
	Reason string
}

// KeptDrill is a drill with who started it, and what came of it last.
type KeptDrill struct {
	Name  string    `json:"name"`
	By    string    `json:"by"`
	Since time.Time `json:"since"`
	api.Drill
	Last *api.Drilled `json:"last,omitempty"` // nil before its first time
}

// StartDrill resolves a drill, looks at its clusters, keeps it and has Temporal run it by its schedule; one that is there already is
// replaced, and goes on by the schedule that it has now. It is fault.Refused where it could not prove anything, or would touch more than
// it says.
func (e *Engine) StartDrill(ctx context.Context, req DrillRequest) (KeptDrill, error) {
	req.By = e.named(req.By)
	docs, err := e.Documents(ctx, req.Files)
	if err != nil {
		return KeptDrill{}, err
	}
	doc := docs.Drills[req.Name]
	if doc == nil {
		return KeptDrill{}, fault.New(fault.NotFound, "cannot find drill %s: %s", req.Name, have("drills", slices.Sorted(maps.Keys(docs.Drills))))
	}
	d, err := e.resolveDrill(ctx, docs, doc, req)
	if err != nil {
		return KeptDrill{}, fault.Wrap(fault.CodeOf(err), err, "cannot start drill %s", req.Name)
	}
	body, err := json.Marshal(d)
	if err != nil {
		return KeptDrill{}, fault.Wrap(fault.Internal, err, "cannot write drill %s", req.Name)
	}
	document := ledger.Kept{Kind: api.DrillKind, Name: req.Name, Document: body, By: req.By, At: e.now()}
	kept, err := e.ledger.Keep(ctx, document, pipelines.MostKept(api.DrillKind))
	if err != nil {
		return KeptDrill{}, err
	}
	if err := e.schedule(ctx, req.Name, d); err != nil {
		return KeptDrill{}, err
	}
	return KeptDrill{Name: req.Name, By: kept.By, Since: kept.At, Drill: d}, e.audit(ctx, ledger.Entry{
		Who: req.By, Command: "drill start", Object: api.DrillName(req.Name), Scope: few(d.Clusters), Reason: req.Reason, Outcome: "accepted",
	})
}

// resolveDrill is a drill with a plan that holds nothing but what it may touch.
func (e *Engine) resolveDrill(ctx context.Context, docs *pipelines.Documents, doc *pipelines.Drill, req DrillRequest) (api.Drill, error) {
	spec, expect := doc.Spec, doc.Spec.Expect.OrDefault()
	planning := PlanRequest{
		Files: req.Files, Component: spec.Component, Version: spec.Version, Pipeline: spec.Pipeline, By: req.By, Reason: "drill " + req.Name,
	}
	for _, name := range slices.Sorted(maps.Keys(docs.ClusterGroups)) {
		if spec.ClusterGroups.Matches(docs.ClusterGroups[name].EffectiveLabels(), name) {
			planning.Only = append(planning.Only, "group:"+name)
		}
	}
	if len(planning.Only) == 0 {
		return api.Drill{}, fault.New(fault.Invalid, "no cluster group is %s", spec.ClusterGroups)
	}
	planned, err := e.planOf(ctx, docs, planning)
	if err != nil {
		return api.Drill{}, err
	}
	if err := planned.Refused(); err != nil {
		return api.Drill{}, err
	}
	p := planned.Plan
	if len(p.Bypasses) > 0 {
		return api.Drill{}, fault.New(fault.Refused, "it would pass by stages of pipeline %s: a drill is for its first ones", p.Pipeline)
	}
	for i := range p.Stages {
		if p.Stages[i].Approvals > 0 && p.Stages[i].Units() > 0 {
			return api.Drill{}, fault.New(fault.Refused, "stage %s waits for an approval, which nobody gives to a drill", p.Stages[i].Name)
		}
	}
	if err := bad(p); err != nil {
		return api.Drill{}, err
	}
	d := api.Drill{
		Plan: planned.Hash, Subject: p.Subject, Version: p.Version, Pipeline: p.Pipeline,
		Cron: spec.Schedule.Cron, TimeZone: spec.Schedule.TimeZone,
		Checks: expect.StoppedBy, Within: expect.Within.Std(), Moves: expect.Clusters,
	}
	for _, u := range p.AllUnits() {
		d.Clusters = append(d.Clusters, u.Cluster)
	}
	return d, nil
}

// bad refuses a plan that has no way back, or that brings what is there already.
func bad(p *plan.Plan) error {
	for _, u := range p.AllUnits() {
		switch {
		case !u.WayBack.Exists():
			return fault.New(fault.Refused, "nothing of %s was deployed in %s: there is nothing to go back to", p.Subject, u.Cluster)
		case u.WayBack.Target == u.Target:
			return fault.New(fault.Refused, "the bad version runs in %s already, by %s: take it back first", u.Cluster, u.WayBack.Run)
		}
	}
	return nil
}

// schedule has Temporal run a drill.
func (e *Engine) schedule(ctx context.Context, name string, d api.Drill) error {
	server, err := e.Server(ctx)
	if err != nil {
		return err
	}
	queue, err := e.queue(ctx)
	if err != nil {
		return err
	}
	spec := client.ScheduleSpec{CronExpressions: []string{d.Cron}, TimeZoneName: d.TimeZone}
	action := &client.ScheduleWorkflowAction{
		ID: api.DrillName(name), Workflow: api.DrillWorkflowName, Args: []any{api.DrillInput{Drill: name}}, TaskQueue: queue,
		StaticSummary: fmt.Sprintf("%s %s is to be stopped by %s", d.Subject, d.Version, d.Pipeline),
	}
	all := server.Temporal.ScheduleClient()
	_, err = all.Create(ctx, client.ScheduleOptions{
		ID: api.DrillName(name), Spec: spec, Action: action, Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_SKIP, CatchupWindow: drillLate,
	})
	if errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		err = all.GetHandle(ctx, api.DrillName(name)).Update(ctx, client.ScheduleUpdateOptions{
			DoUpdate: func(was client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
				now := was.Description.Schedule
				now.Spec, now.Action = &spec, action
				return &client.ScheduleUpdate{Schedule: &now}, nil
			},
		})
	}
	return e.temporalFault(err, "cannot schedule drill %s at %s", name, server.Address)
}

// drillLate is how late a drill may begin whose time came while the server was away.
const drillLate = 10 * time.Minute

// StopDrill ends a drill: it does not run again. A time of it that is under way goes on to its end. False where there was none.
func (e *Engine) StopDrill(ctx context.Context, req DrillRequest) (bool, error) {
	req.By = e.named(req.By)
	server, err := e.Server(ctx)
	if err != nil {
		return false, err
	}
	err = server.Temporal.ScheduleClient().GetHandle(ctx, api.DrillName(req.Name)).Delete(ctx)
	var missing *serviceerror.NotFound
	if err != nil && !errors.As(err, &missing) {
		return false, e.temporalFault(err, "cannot stop drill %s at %s", req.Name, server.Address)
	}
	_, err = e.ledger.Drop(ctx, api.DrillKind, req.Name)
	if fault.CodeOf(err) == fault.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, e.audit(ctx, ledger.Entry{
		Who: req.By, Command: "drill stop", Object: api.DrillName(req.Name), Reason: req.Reason, Outcome: "accepted",
	})
}

// RunDrill runs a drill now. Where somebody has it run so already, that is waited for. Wait is for what comes of it, else it returns
// what has come of it by then.
func (e *Engine) RunDrill(ctx context.Context, req DrillRequest, wait bool) (api.Drilled, error) {
	req.By = e.named(req.By)
	out := api.Drilled{Drill: req.Name, Outcome: api.DrillRuns}
	d, err := e.keptDrill(ctx, req.Name)
	if err != nil {
		return out, err
	}
	server, err := e.Server(ctx)
	if err != nil {
		return out, err
	}
	queue, err := e.queue(ctx)
	if err != nil {
		return out, err
	}
	run, err := server.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: api.DrillName(req.Name) + "/now", TaskQueue: queue, WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		StaticSummary: fmt.Sprintf("%s %s is to be stopped by %s", d.Subject, d.Version, d.Pipeline),
	}, api.DrillWorkflowName, api.DrillInput{Drill: req.Name})
	if err != nil {
		return out, e.temporalFault(err, "cannot run drill %s at %s", req.Name, server.Address)
	}
	err = e.audit(ctx, ledger.Entry{
		Who: req.By, Command: "drill run", Object: api.DrillName(req.Name), Reason: req.Reason, Outcome: "accepted",
	})
	if err != nil || !wait {
		return out, err
	}
	return out, e.await(ctx, run, &out)
}

// keptDrill is a drill that was started, by name.
func (e *Engine) keptDrill(ctx context.Context, name string) (KeptDrill, error) {
	all, err := e.Drills(ctx)
	if err != nil {
		return KeptDrill{}, err
	}
	var names []string
	for _, d := range all {
		if d.Name == name {
			return d, nil
		}
		names = append(names, d.Name)
	}
	return KeptDrill{}, fault.New(fault.NotFound, "cannot find drill %s: %s", name, have("drills", names))
}

// Drills lists the drills that were started, by name, with what came of each last.
func (e *Engine) Drills(ctx context.Context) ([]KeptDrill, error) {
	kept, err := e.ledger.ListKept(ctx, api.DrillKind)
	if err != nil {
		return nil, err
	}
	all := []KeptDrill{}
	for _, k := range kept {
		d := KeptDrill{Name: k.Name, By: k.By, Since: k.At}
		if err := k.Read(&d.Drill); err != nil {
			return nil, err
		}
		last, err := e.ledger.ListDrilled(ctx, k.Name, 1)
		if err != nil {
			return nil, err
		}
		if len(last) > 0 {
			d.Last = &last[0]
		}
		all = append(all, d)
	}
	return all, nil
}

// Drilled lists what came of a drill each time, the newest first.
func (e *Engine) Drilled(ctx context.Context, name string, limit int) ([]api.Drilled, error) {
	return items(e.DrilledPage(ctx, name, ledger.Page{Limit: limit}))
}

// DrilledPage is a part of that list.
func (e *Engine) DrilledPage(ctx context.Context, name string, p ledger.Page) (Page[api.Drilled], error) {
	return every(p, func(p ledger.Page) ([]ledger.Marked[api.Drilled], error) { return e.ledger.PageDrilled(ctx, name, p) })
}
