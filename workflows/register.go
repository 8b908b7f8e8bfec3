package workflows

import "go.temporal.io/sdk/workflow"

// Registry is where workflows are registered: a worker, a replayer or a test environment.
type Registry interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
}

// Register registers every workflow under its name.
func Register(r Registry) {
	r.RegisterWorkflowWithOptions(Rollout, workflow.RegisterOptions{Name: RolloutName})
	r.RegisterWorkflowWithOptions(ClusterRollout, workflow.RegisterOptions{Name: ClusterRolloutName})
	r.RegisterWorkflowWithOptions(StagePart, workflow.RegisterOptions{Name: StagePartName})
	r.RegisterWorkflowWithOptions(Look, workflow.RegisterOptions{Name: LookName})
	r.RegisterWorkflowWithOptions(Preview, workflow.RegisterOptions{Name: PreviewName})
}
