package unit

import (
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload/goal"
)

func (r *machine) about(h *heldWorkload) step.WorkloadRequest {
	return step.WorkloadRequest{Ref: r.in.Ref, Changes: r.diff.Changes, Object: h.object, State: h.state}
}

func (r *machine) stateOf(object string) (s goal.State) {
	for _, h := range r.held {
		if h.object == object {
			return h.state
		}
	}
	return s
}

// requestFor is about a held workload at the goal that it has reached.
func (r *machine) requestFor(h *heldWorkload) step.AdvanceRequest {
	return step.AdvanceRequest{
		WorkloadRequest: r.about(h), Goal: h.goal, Unit: r.plan.Unit, Change: r.plan.Change,
		Version: r.plan.Change.Version,
	}
}
