package unit

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/permit"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/workflows/ask"
	"sluice.dev/sluice/workflows/shape"
)

// enter waits until the unit may change its cluster: nobody else's unit is in trouble there or in its failure domains, and there is room.
// What goes back is let in at once.
func (r *machine) enter(ctx workflow.Context) error {
	if r.shape < shape.AsksForPermits {
		return nil
	}
	req := step.EnterRequest{Ref: r.in.Ref, Holder: holderOf(ctx)}
	for {
		said, err := do(ctx, r, ask.For(step.Enter, "may "+r.in.Cluster+" change", req))
		if err != nil || said.Given() {
			return err
		}
		req.Known = said.Why
		r.tell(ctx, api.PhaseLocked, &api.Waiting{
			Kind: api.WaitPermit, Name: said.Holder, Unmet: []string{said.Why}, Owner: "whoever decides about " + said.Holder + ", or lets it in",
		})
	}
}

// troubled keeps others out of the cluster and its failure domains, for as long as the unit is in trouble that has changed something
// there; why is "" where it is no longer. Once it has ended, its record gives that up.
func (r *machine) troubled(ctx workflow.Context, why string) {
	if r.shape < shape.AsksForPermits || !r.unit.Moved {
		return
	}
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	req := step.TroubleRequest{Ref: r.in.Ref, Holder: holderOf(ctx), Why: why}
	// It is tried until it succeeds.
	_, _ = ask.For(step.Trouble, "trouble in "+r.in.Cluster, req).Get(ctx)
}

func inTrouble(bad api.Check) string {
	return fmt.Sprintf("%s %s: %s", bad.Name, bad.Verdict, bad.Message)
}

func holderOf(ctx workflow.Context) permit.Holder {
	of := workflow.GetInfo(ctx).WorkflowExecution
	return permit.Holder{Workflow: of.ID, Execution: of.RunID}
}
