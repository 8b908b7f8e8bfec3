package unit

import (
	"strconv"

	"sluice.dev/sluice/internal/plan"
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

// request is about one batch of a held workload.
func (r *machine) request(h *heldWorkload, w plan.Division, set int, b plan.Batch) step.AdvanceRequest {
	req := r.requestFor(h)
	req.Size, req.Target, req.Total = b.Size, b.Target, w.NodeSets[set].Pods
	req.Unit.Path = r.unit.Path + "/" + w.NodeSets[set].Name + "/" + strconv.Itoa(b.Number)
	return req
}

// requestFor is about a held workload at the goal that it has reached.
func (r *machine) requestFor(h *heldWorkload) step.AdvanceRequest {
	return step.AdvanceRequest{
		WorkloadRequest: r.about(h), Goal: h.goal, Unit: r.plan.Unit, Change: r.plan.Change,
		Version: r.plan.Change.Version,
	}
}
