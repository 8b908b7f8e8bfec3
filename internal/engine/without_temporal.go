package engine

import (
	"context"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/visible"
)

// fromLedger puts together where a run is without asking it: units from the plan, the deployments and the observations,
// the run from its search attributes where Temporal has them. Info may be nil.
func (e *Engine) fromLedger(ctx context.Context, known ledger.Run, info *workflowpb.WorkflowExecutionInfo, note string) (View, error) {
	planned, err := e.LoadPlan(ctx, known.Plan)
	if err != nil {
		return View{}, err
	}
	view := View{Note: note, RunStatus: api.RunStatus{
		Name: known.Name, Subject: known.Subject, Version: known.Version, Pipeline: planned.Plan.Pipeline, Plan: known.Plan,
		Back: known.Back, Origin: planned.Stored.Origin, Phase: api.Phase(known.Phase), By: known.By,
		Reason: known.Reason, Started: known.Started, Ended: known.Ended,
	}}
	units, err := e.traces(ctx, known)
	if err != nil {
		return View{}, err
	}
	for i := range planned.Plan.Stages {
		view.Stages = append(view.Stages, stageFrom(&planned.Plan.Stages[i], units))
	}
	addAttributes(&view.RunStatus, info)
	return view, nil
}

// traces says of each cluster that a run has touched what the ledger knows of it.
func (e *Engine) traces(ctx context.Context, known ledger.Run) (map[string]api.UnitStatus, error) {
	units := map[string]api.UnitStatus{}
	seen, err := e.ledger.ListObservations(ctx, known.Subject)
	if err != nil {
		return nil, err
	}
	for _, o := range seen {
		if o.Run != known.Name {
			continue
		}
		u := api.UnitStatus{Phase: api.PhaseMoving, Version: o.Version, Armed: o.Armed, Moved: true}
		if o.Unreachable {
			u.Phase = api.PhaseUnreachable
		}
		units[o.Cluster] = u
	}
	present, err := e.ledger.ListDeployments(ctx, "", known.Subject)
	if err != nil {
		return nil, err
	}
	for _, d := range present {
		if d.Run != known.Name {
			continue
		}
		u := api.UnitStatus{Phase: api.PhaseSucceeded, Version: d.Version, Moved: true, Ended: d.Since}
		if d.Version != known.Version || known.Back != "" {
			u.Phase = api.PhaseRolledBack
		}
		units[d.Cluster] = u
	}
	return units, nil
}

func stageFrom(s *plan.StagePlan, units map[string]api.UnitStatus) api.StageStatus {
	out := api.StageStatus{Name: s.Name, Phase: api.PhasePending, Skipped: s.Skipped}
	if s.Skipped != "" {
		out.Phase = api.PhaseSkipped
	}
	ended := 0
	for _, g := range s.Groups {
		for _, u := range g.Units {
			unit := units[u.Cluster]
			unit.Path, unit.Cluster, unit.Group, unit.Stage = u.Path, u.Cluster, u.Group, s.Name
			if unit.Phase == "" {
				unit.Phase = api.PhasePending
			}
			if unit.Phase != api.PhasePending {
				out.Phase = api.PhaseMoving
			}
			if unit.Phase.Final() {
				ended++
			}
			out.Units = append(out.Units, unit)
		}
	}
	if ended > 0 && ended == len(out.Units) {
		out.Phase = api.PhaseSucceeded
	}
	return out
}

func addAttributes(run *api.RunStatus, info *workflowpb.WorkflowExecutionInfo) {
	var phase, waiting string
	visible.Attribute(info, api.AttributePhase, &phase)
	visible.Attribute(info, api.AttributeWaitingFor, &waiting)
	visible.Attribute(info, api.AttributePercent, &run.Percent)
	visible.Attribute(info, api.AttributeFailed, &run.Failed)
	if phase != "" {
		run.Phase = api.Phase(phase)
	}
	if waiting != "" {
		run.Waiting = &api.Waiting{Name: waiting}
	}
	if run.Phase.Final() {
		return // how it closed says less: a run that took itself back has failed, one that a person took back was cancelled
	}
	switch info.GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED:
		run.Phase = api.PhaseAborted
	case enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
		run.Phase = api.PhaseFailed
	}
}
