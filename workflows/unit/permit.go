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
// What goes back counts, and does not wait: not even for the ledger.
func (r *machine) enter(ctx workflow.Context) error {
	if r.shape < shape.AsksForPermits {
		return nil
	}
	req := step.EnterRequest{Ref: r.in.Ref}
	if r.in.Back {
		req.Holder = holderOf(ctx)
		workflow.GoNamed(ctx, "permit", func(ctx workflow.Context) {
			_, _ = ask.For(step.Enter, "note that "+r.in.Cluster+" goes back", req).Get(ctx)
		})
		return nil
	}
	for {
		req.Holder = holderOf(ctx)
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
// there; why is "" where it is no longer. Once it has ended, its record gives that up. The unit does not wait for the ledger: it stands,
// goes on or goes back meanwhile, and what it says last is what holds.
func (r *machine) troubled(ctx workflow.Context, why string) {
	if r.shape < shape.AsksForPermits || !r.unit.Moved {
		return
	}
	saying := r.trouble != nil
	r.trouble = &step.TroubleRequest{Ref: r.in.Ref, Holder: holderOf(ctx), Why: why}
	if saying {
		return
	}
	workflow.GoNamed(ctx, "trouble", func(ctx workflow.Context) {
		for said := r.trouble; ; said = r.trouble {
			// It is tried until it succeeds.
			_, _ = ask.For(step.Trouble, "trouble in "+r.in.Cluster, *said).Get(ctx)
			if said == r.trouble {
				r.trouble = nil
				return
			}
		}
	})
}

func inTrouble(bad api.Check) string {
	return fmt.Sprintf("%s %s: %s", bad.Name, bad.Verdict, bad.Message)
}

func holderOf(ctx workflow.Context) permit.Holder {
	of := workflow.GetInfo(ctx).WorkflowExecution
	return permit.Holder{Workflow: of.ID, Execution: of.RunID, At: workflow.Now(ctx).UTC()}
}
