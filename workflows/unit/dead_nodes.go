package unit

import (
	"errors"
	"slices"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/workflows/pace"
	"sluice.dev/sluice/workflows/shape"
)

// leftBehind takes down which nodes of a workload are dead now.
func (r *machine) leftBehind(object string, behind []goal.Behind) {
	others := slices.DeleteFunc(slices.Clone(r.unit.Behind), func(b goal.Behind) bool { return b.Workload == object })
	r.unit.Behind = append(others, behind...)
}

// tooManyBehind is the check that holds a unit of which more nodes have died than may stay behind. Nothing holds a way back.
func (r *machine) tooManyBehind(behind []goal.Behind) (api.Check, bool) {
	if r.in.Back {
		return api.Check{}, false
	}
	for _, no := range r.plan.Rules.TooManyBehind(behind) {
		return api.Check{Name: string(no.Rule), At: api.AtNodes, Verdict: api.Error, Message: no.Object + ": " + no.Message}, true
	}
	return api.Check{}, false
}

// gather moves what has come back of the nodes that were behind, before the workload is given back to its owner.
func (r *machine) gather(ctx workflow.Context, h *heldWorkload) error {
	if r.shape < shape.GathersReturned || !slices.ContainsFunc(r.unit.Behind, func(b goal.Behind) bool { return b.Workload == h.object }) {
		return nil
	}
	return r.catchUp(ctx)
}

// stoodStill is a workload on its way back that did not get on for longer than its progressDeadline.
type stoodStill struct{ message string }

func (e *stoodStill) Error() string { return e.message }

// standstill is the error of a way back that did not get on; nil where it is there.
func standstill(seen api.Facts) error {
	if bad, held := plan.FirstBad(seen.Checks); held && seen.Stalled {
		return &stoodStill{bad.Message}
	}
	return nil
}

// phaseOfBack is where a way back is that cannot go on.
func phaseOfBack(cause error) api.Phase {
	var still *stoodStill
	if errors.As(cause, &still) {
		return api.PhaseStalled
	}
	return api.PhaseHeld
}

// seeNodes has it kept what happened to the cluster's nodes before the unit failed, for whoever asks what may have broken it. The unit
// does not wait for it.
func (r *machine) seeNodes(ctx workflow.Context, failure api.Check) {
	if r.shape < shape.SeesNodes || r.in.Back || failure.At == api.AtPlan {
		return
	}
	req := step.NodesRequest{Ref: r.in.Ref, Failed: failure.Stopped, Had: r.unit.LastOn()}
	see := near(r, step.SeeNodes, "what happened to the nodes", req)
	workflow.GoNamed(ctx, "nodes", func(ctx workflow.Context) {
		if seen, err := see.Get(ctx); err == nil {
			r.unit.Nodes = seen
		}
	})
}

func few(behind []goal.Behind) []goal.Behind {
	short := slices.Clone(behind)
	for i := range short {
		short[i].Nodes = short[i].Nodes[:min(len(short[i].Nodes), pace.Tuned().FewNodes)]
	}
	return short
}
