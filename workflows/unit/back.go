package unit

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/workflows/ask"
	"sluice.dev/sluice/workflows/shape"
	"sluice.dev/sluice/workflows/show"
)

// back takes back what this unit has done so far: first what could refuse everything else (webhooks, API services), then
// the workloads in reverse, then the rest. No order, window or soak holds it.
func (r *machine) back(ctx workflow.Context) api.Phase {
	if !r.unit.Moved {
		return r.leave(ctx, api.PhaseAborted)
	}
	r.tell(ctx, api.PhaseRollingBack, nil)
	r.troubled(ctx, "it goes back")
	if !r.plan.WayBack.Exists() && r.shape < shape.WaysBackEverywhere {
		return r.backUnrecorded(ctx)
	}
	moved := r.unit.Version
	r.unit.Version = r.plan.WayBack.Version
	for _, next := range []func(workflow.Context) error{r.unapplyAfter, r.revertWorkloads, r.unapplyBefore, r.recordBack} {
		for err := next(ctx); err != nil; err = next(ctx) {
			if errors.Is(err, errStays) {
				r.unit.Version = moved
				r.stuck(ask.MessageOf(err))
				return r.leave(ctx, api.PhaseFailed)
			}
			if !r.askBack(ctx, err) {
				return r.leave(ctx, api.PhaseFailed)
			}
		}
	}
	return api.PhaseRolledBack
}

// errStays ends a way back on which a workload stays as it is: what it needs stays with it.
var errStays = errors.New("not back")

// backUnrecorded takes back what can be where nothing was recorded before the run: workloads that were there go back to the
// pods that their controllers remember. What the run wrote or made besides stays, and the unit says so.
func (r *machine) backUnrecorded(ctx workflow.Context) api.Phase {
	said := "no way back: nothing was recorded here before this run"
	for _, h := range slices.Backward(r.held) {
		if h.state.UID == "" || h.state.Created {
			continue
		}
		for err := r.revert(ctx, h); err != nil; err = r.revert(ctx, h) {
			if !r.askBack(ctx, err) {
				return r.leave(ctx, api.PhaseFailed)
			}
		}
		if h.stays != "" {
			said += "; not back: " + h.stays
			continue
		}
		said += "; " + h.object + " has the pods back that it had, and what else was written stays"
	}
	r.stuck(said)
	return r.leave(ctx, api.PhaseFailed)
}

// stuck says what went wrong on the way back, and keeps why the unit goes back.
func (r *machine) stuck(message string) {
	if r.unit.Cause == nil && r.unit.Failure != nil && r.unit.Failure.At != api.AtRollback {
		r.unit.Cause, r.unit.CauseAt = r.unit.Failure, r.unit.FailedAt
	}
	r.unit.Failure = &api.Check{Name: "rollback", At: api.AtRollback, Verdict: api.Error, Message: message}
}

// askBack holds a rollback that cannot go on, until somebody resumes it; false where it was abandoned.
func (r *machine) askBack(ctx workflow.Context, cause error) bool {
	if errors.Is(cause, errAbort) {
		return false
	}
	resumes, ends := r.orders.resumes, r.orders.ends
	r.stuck(ask.MessageOf(cause))
	_ = show.Stand{
		Show: r.tell, Phase: phaseOfBack(cause), Then: api.PhaseRollingBack,
		Waiting: &api.Waiting{
			Kind: api.WaitDecision, Name: "rollback", Unmet: []string{ask.MessageOf(cause)}, Owner: "whoever may resume, or abandon the rollback",
		},
		Until: func() bool { return r.orders.resumes > resumes || r.orders.ends > ends },
	}.Wait(ctx)
	return r.orders.resumes > resumes
}

func (r *machine) unapplyAfter(ctx workflow.Context) error { return r.unapply(ctx, true) }

func (r *machine) unapplyBefore(ctx workflow.Context) error { return r.unapply(ctx, false) }

func (r *machine) unapply(ctx workflow.Context, after bool) error {
	if !r.applied && r.shape < shape.WaysBackEverywhere {
		return nil
	}
	req := step.ApplyRequest{Ref: r.in.Ref, Changes: r.diff.Changes, After: after}
	done, err := must(ctx, r, near(r, step.Unapply, "take back what was applied", req))
	if err != nil {
		return err
	}
	r.kept(done.Kept)
	return nil
}

// kept notes what a way back leaves in place.
func (r *machine) kept(objects []string) {
	for _, o := range objects {
		if !slices.Contains(r.unit.Kept, o) {
			r.unit.Kept = append(r.unit.Kept, o)
		}
	}
}

func (r *machine) revertWorkloads(ctx workflow.Context) error {
	var stay []string
	for _, h := range slices.Backward(r.held) {
		if err := r.revert(ctx, h); err != nil {
			return err
		}
		if h.stays != "" {
			stay = append(stay, h.stays)
		}
	}
	r.unit.Armed = false
	if len(stay) > 0 && r.shape >= shape.WaysBackEverywhere {
		return fmt.Errorf("%w: %s; what was written for it stays", errStays, strings.Join(stay, "; "))
	}
	return nil
}

// revert moves a workload back and gives it to its owner.
func (r *machine) revert(ctx workflow.Context, h *heldWorkload) error {
	r.set(ctx, api.PhaseRollingBack, &api.Waiting{Kind: api.WaitPods, Name: h.object})
	req := r.requestFor(h)
	req.Version = r.plan.WayBack.Version
	req.Goal.MaxUnavailable = r.plan.Rules.MaxUnavailable
	req.Deadline = time.Duration(r.plan.Rules.ProgressDeadline)
	seen, err := must(ctx, r, near(r, step.Revert, "move "+h.object+" back", req))
	if err != nil {
		return err
	}
	r.leftBehind(h.object, seen.Behind)
	if err := standstill(seen); err != nil {
		return err
	}
	h.stays = seen.Stays
	if h.stays != "" && r.shape >= shape.WaysBackEverywhere {
		return nil // it is not given back half-way
	}
	finish := r.about(h)
	finish.Revert = true
	state, err := must(ctx, r, near(r, step.Finish, "give "+h.object+" back", finish))
	if err != nil {
		return err
	}
	h.state, h.done = state, true
	for i := range r.unit.Batches {
		if b := &r.unit.Batches[i]; b.Workload == h.object && b.Phase != api.PhaseSkipped {
			b.Phase, b.Ended = api.PhaseRolledBack, workflow.Now(ctx).UTC()
		}
	}
	return nil
}

func (r *machine) recordBack(ctx workflow.Context) error {
	req := step.ReleaseRequest{Ref: r.in.Ref, Outcome: api.PhaseRolledBack, Changes: r.diff.Changes}
	_, err := must(ctx, r, near(r, step.Release, "record and free the lease", req))
	return err
}

// leave disarms and frees the lease; pods stay where they are.
func (r *machine) leave(ctx workflow.Context, phase api.Phase) api.Phase {
	if !r.locked {
		return phase
	}
	free := near(r, step.Release, "free the lease", step.ReleaseRequest{Ref: r.in.Ref, Outcome: phase, Changes: r.diff.Changes})
	away := r.away
	if !away || r.owed(phase) {
		r.disarm(ctx)
		if r.shape >= shape.AbortsOwed {
			away = r.away // it may have been lost, or have come back, meanwhile
		}
	}
	if away {
		// The next run takes the Lease over by its fence; nobody waits here for a cluster that may never come back.
		for _, h := range r.held {
			if state, err := near(r, step.Disarm, "disarm "+h.object, r.about(h)).Get(ctx); err == nil {
				h.state = state
			}
		}
		_, _ = free.Get(ctx)
		return phase
	}
	if _, err := must(ctx, r, free); err != nil {
		r.unit.Checks = append(r.unit.Checks, api.Check{Name: "free the lease", At: api.AtEnd, Verdict: api.Error, Message: ask.MessageOf(err)})
	}
	return phase
}

// owed reports whether what an abort is to stop has to wait for its cluster: a pod that is made anew there would get the new template.
// A second abort gives it up.
func (r *machine) owed(phase api.Phase) bool {
	armed := slices.ContainsFunc(r.held, func(h *heldWorkload) bool { return !h.done })
	return r.shape >= shape.AbortsOwed && phase == api.PhaseAborted && r.away && armed && !r.orders.stop
}

// stoppedPhase is what a unit is that was told to end where it is. One that had moved says why it did not get on.
func (r *machine) stoppedPhase() api.Phase {
	if r.away && !r.unit.Moved {
		return api.PhaseMissed
	}
	if w := r.unit.Waiting; r.away && r.unit.Failure == nil && w != nil {
		said := r.in.Cluster + " was out of reach to the end of the run: " + strings.Join(w.Unmet, ", ")
		r.unit.Failure = &api.Check{Name: api.CheckReach, At: api.AtUnit, Verdict: api.Error, Message: said}
		r.unit.FailedAt = r.unit.Path
	}
	return api.PhaseFailed
}
