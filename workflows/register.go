package workflows

import (
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
)

// Registry is where workflows are registered: a worker, a replayer or a test environment.
type Registry interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
}

// Register registers every workflow under its name.
func Register(r Registry) {
	r.RegisterWorkflowWithOptions(Rollout, workflow.RegisterOptions{Name: api.RolloutName})
	r.RegisterWorkflowWithOptions(ClusterRollout, workflow.RegisterOptions{Name: api.ClusterRolloutName})
	r.RegisterWorkflowWithOptions(StagePart, workflow.RegisterOptions{Name: api.StagePartName})
	r.RegisterWorkflowWithOptions(Look, workflow.RegisterOptions{Name: api.LookName})
	r.RegisterWorkflowWithOptions(Preview, workflow.RegisterOptions{Name: api.PreviewName})
}
