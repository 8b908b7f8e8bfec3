// Package workflows registers what Sluice has Temporal do: runs, units, looks, previews, reconciliations, drills, probes and sources. How
// they go is in the packages below: orchestration only, deterministic, to be read like the runbook of a careful operator. What reads or
// writes the world is an activity of internal/step.
package workflows

import (
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/workflows/drill"
	"sluice.dev/sluice/workflows/preview"
	"sluice.dev/sluice/workflows/probing"
	"sluice.dev/sluice/workflows/reconcile"
	"sluice.dev/sluice/workflows/run"
	"sluice.dev/sluice/workflows/source"
	"sluice.dev/sluice/workflows/unit"
)

// Registry is where workflows are registered: a worker, a replayer or a test environment.
type Registry interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
}

// Register registers every workflow under its name.
func Register(r Registry) {
	r.RegisterWorkflowWithOptions(run.Rollout, workflow.RegisterOptions{Name: api.RolloutName})
	r.RegisterWorkflowWithOptions(unit.ClusterRollout, workflow.RegisterOptions{Name: api.ClusterRolloutName})
	r.RegisterWorkflowWithOptions(run.StagePart, workflow.RegisterOptions{Name: api.StagePartName})
	r.RegisterWorkflowWithOptions(unit.Look, workflow.RegisterOptions{Name: api.LookName})
	r.RegisterWorkflowWithOptions(preview.Preview, workflow.RegisterOptions{Name: api.PreviewName})
	r.RegisterWorkflowWithOptions(reconcile.Reconcile, workflow.RegisterOptions{Name: api.ReconcileName})
	r.RegisterWorkflowWithOptions(drill.Drill, workflow.RegisterOptions{Name: api.DrillWorkflowName})
	r.RegisterWorkflowWithOptions(probing.Probe, workflow.RegisterOptions{Name: api.ProbeWorkflowName})
	r.RegisterWorkflowWithOptions(source.Source, workflow.RegisterOptions{Name: api.SourceWorkflowName})
}
