package run

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/workflows/shape"
	"sluice.dev/sluice/workflows/show"
)

// admitted returns once a stage may start: it is approved, and its first checks hold. Approvals that expire have to count still when
// nothing else keeps it any more.
func (r *rollout) admitted(ctx workflow.Context, p *step.RunStage, st *api.StageStatus) error {
	for {
		if err := r.approval(ctx, p, st); err != nil {
			return err
		}
		if err := r.judgeStage(ctx, st, p.Checks, pipelines.BeforeStage, r.unitsIn(st)); err != nil {
			return err
		}
		if p.Approvers.Expires == 0 || r.ending() {
			return nil
		}
		if err := r.unpaused(ctx); err != nil {
			return err
		}
		if err := r.thawed(ctx); err != nil {
			return err
		}
		if r.approved(ctx, p, st) {
			return nil
		}
	}
}

// approval waits until as many people as the stage asks for have approved this plan, and all of that counts.
func (r *rollout) approval(ctx workflow.Context, p *step.RunStage, st *api.StageStatus) error {
	if r.approved(ctx, p, st) || r.ending() {
		return nil
	}
	st.Waiting = &api.Waiting{Kind: api.WaitApproval, Name: p.Name, Since: workflow.Now(ctx).UTC()}
	r.tally(ctx, p, st)
	stand := show.Stand{
		Show: r.show, Phase: api.PhaseWaiting, Waiting: st.Waiting, Then: api.PhaseMoving,
		Until:  func() bool { return r.approved(ctx, p, st) || r.ending() },
		Leaves: func() { st.Waiting = nil },
	}
	stand.Stop(ctx)
	for !stand.Until() {
		if err := r.nextVote(ctx, st, stand.Until); err != nil {
			return err
		}
		r.tally(ctx, p, st)
		if r.shape >= shape.TalliesApprovals && !stand.Until() {
			r.refresh(ctx)
		}
	}
	return stand.Stay(ctx)
}

// nextVote returns once people have said something, or an approval has expired.
func (r *rollout) nextVote(ctx workflow.Context, st *api.StageStatus, until func() bool) error {
	turn := r.inTurn
	said := func() bool { return until() || r.inTurn != turn }
	expires := plan.NextExpiry(st.Approvals, workflow.Now(ctx))
	if expires.IsZero() {
		return workflow.Await(ctx, said)
	}
	_, err := workflow.AwaitWithTimeout(ctx, expires.Sub(workflow.Now(ctx)), said)
	return err
}

// approved reports whether enough approvals of a stage count.
func (r *rollout) approved(ctx workflow.Context, p *step.RunStage, st *api.StageStatus) bool {
	return len(plan.StillCount(st.Approvals, workflow.Now(ctx))) >= p.Approvals
}

// tally says how far the approvals of a stage are, and who may give what is missing.
func (r *rollout) tally(ctx workflow.Context, p *step.RunStage, st *api.StageStatus) {
	st.Waiting.Unmet = plan.Tally(r.in.Plan, p.Approvals, p.Approvers, r.in.By, st.Approvals, workflow.Now(ctx))
	st.Waiting.Owner = p.Approvers.Left(r.in.By, plan.StillCount(st.Approvals, workflow.Now(ctx)))
}

// awaited is the stage that waits for approval, nil where none does.
func (r *rollout) awaited() *api.StageStatus {
	for i := range r.state.Status.Stages {
		if w := r.state.Status.Stages[i].Waiting; w != nil && w.Kind == api.WaitApproval {
			return &r.state.Status.Stages[i]
		}
	}
	return nil
}

// approvers are who may approve the stage that waits for it.
func (r *rollout) approvers() plan.Approvers {
	if st := r.awaited(); st != nil {
		return r.stageOf(st.Name).Approvers
	}
	return plan.Approvers{}
}

func (r *rollout) doApprove(ctx workflow.Context, c api.Command) api.Answer {
	st := r.awaited()
	p, now := r.stageOf(st.Name), workflow.Now(ctx).UTC()
	v := p.Approvers.Vote(c, now)
	all, twice := plan.Approve(st.Approvals, v)
	if twice && v.Until.IsZero() {
		return api.Answer{Message: fmt.Sprintf("%s had approved stage %s already", c.Who, st.Name)}
	}
	st.Approvals = all
	r.tally(ctx, p, st)
	has, of := len(plan.StillCount(all, now)), api.Counted(p.Approvals, "approval")
	if twice {
		return api.Answer{Message: fmt.Sprintf("%s had approved stage %s, and has anew: it has %d of %s", c.Who, st.Name, has, of)}
	}
	return api.Answer{Message: fmt.Sprintf("stage %s has %d of %s", st.Name, has, of)}
}

// doReject ends the run before the stage that waits. That is no verdict on what has moved, whatever the pipeline says about failures:
// it stays until somebody takes it back.
func (r *rollout) doReject(ctx workflow.Context, c api.Command) api.Answer {
	st := r.awaited()
	v := r.stageOf(st.Name).Approvers.Vote(c, workflow.Now(ctx).UTC())
	st.Rejected = &api.Vote{Who: v.Who, At: v.At, Reason: v.Reason}
	r.doAbort(ctx, api.Command{Who: c.Who, Reason: fmt.Sprintf("rejected stage %s: %s", st.Name, c.Reason)})
	moved := 0
	for _, u := range r.among(api.Scope{}) {
		if u.Moved {
			moved++
		}
	}
	said := fmt.Sprintf("stage %s is rejected: %s ends", st.Name, r.in.Run)
	if moved > 0 {
		said += fmt.Sprintf(", and %s that moved stays; a rollback takes it back", api.Counted(moved, "unit"))
	}
	return api.Answer{Message: said}
}
