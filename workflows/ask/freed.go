package ask

import (
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/step"
)

// Freed waits until no workflow of an ID is open; false where that is not wanted any more before.
func Freed(ctx workflow.Context, id string, unwanted func() bool) bool {
	free := For(step.Closed, "wait for the run that holds "+id, id).Start(ctx)
	_ = workflow.Await(ctx, func() bool { return free.Ready() || unwanted() })
	if !free.Ready() {
		return false
	}
	_, err := free.Get(ctx)
	return err == nil
}
