package run

import (
	"fmt"
	"slices"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/identity"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/workflows/ask"
	"sluice.dev/sluice/workflows/shape"
	"sluice.dev/sluice/workflows/show"
	"sluice.dev/sluice/workflows/tell"
)

// serve answers queries, takes commands and hears units for as long as the run lives.
func (r *rollout) serve(ctx workflow.Context) error {
	err := workflow.SetQueryHandlerWithOptions(ctx, api.QueryStatus, func() (api.RunStatus, error) { return r.state.Status, nil },
		workflow.QueryHandlerOptions{Description: "where the run is and what it waits for"})
	if err != nil {
		return err
	}
	for _, c := range r.commands() {
		err := workflow.SetUpdateHandlerWithOptions(ctx, c.name, func(ctx workflow.Context, cmd api.Command) (api.Answer, error) {
			return r.obey(ctx, c, workflow.GetCurrentUpdateInfo(ctx).ID, cmd)
		}, workflow.UpdateHandlerOptions{Validator: func(cmd api.Command) error {
			if !r.loaded {
				return nil // it is looked at once the plan is known
			}
			return r.valid(c.name, cmd)
		}, Description: c.says})
		if err != nil {
			return err
		}
	}
	r.hearStanding(ctx)
	r.hearHolds(ctx)
	ofUnits, ofParts := "a unit says where it is", "a part of a stage says where its units are"
	reports := workflow.GetSignalChannelWithOptions(ctx, tell.SignalReport, workflow.SignalChannelOptions{Description: ofUnits})
	workflow.GoNamed(ctx, "reports", func(ctx workflow.Context) {
		for {
			var rep tell.Report
			reports.Receive(ctx, &rep)
			r.heed(ctx, rep)
		}
	})
	told := workflow.GetSignalChannelWithOptions(ctx, tell.SignalNews, workflow.SignalChannelOptions{Description: ofParts})
	workflow.GoNamed(ctx, "news", func(ctx workflow.Context) {
		for {
			var all []tell.News
			told.Receive(ctx, &all)
			r.learn(ctx, all)
		}
	})
	return nil
}

// command is one that operators may give.
type command struct {
	name, says string
	do         func(workflow.Context, api.Command) api.Answer
}

func (r *rollout) commands() []command {
	return []command{
		{api.UpdatePause, "stop after what is in flight, and disarm", r.doPause},
		{api.UpdateResume, "go on", r.doResume},
		{api.UpdateApprove, "let the stage that waits for approval start", r.doApprove},
		{api.UpdateReject, "end the run at the stage that waits for approval", r.doReject},
		{api.UpdateAbort, "stop for good and leave pods as they are", r.doAbort},
		{api.UpdateRollback, "take back what was moved", r.doRollback},
		{api.UpdateSkip, "leave clusters out", r.doSkip},
		{api.UpdateRetry, "try again what stands or has failed", r.doRetry},
		{api.UpdateRetreat, "take the last batch of a cluster back", r.doRetreat},
		{api.UpdateEndSoak, "end what soaks now with a last look", r.doEndSoak},
	}
}

// obey does what a command asks for, once under its ID, and has it written down.
func (r *rollout) obey(ctx workflow.Context, c command, id string, cmd api.Command) (api.Answer, error) {
	if err := workflow.Await(ctx, func() bool { return r.loaded }); err != nil {
		return api.Answer{}, err
	}
	if cmd.ID != "" && !cmd.DryRun {
		id = c.name + " " + cmd.ID // whatever way it comes
	}
	if r.heard(id) {
		return api.Answer{Message: fmt.Sprintf("%s has taken this order already", r.in.Run)}, nil
	}
	if !cmd.Proven {
		cmd.Who = identity.Unverified(cmd.Who)
	}
	if err := r.valid(c.name, cmd); err != nil {
		return api.Answer{}, err // since it was let in
	}
	r.note(id)
	answer := c.do(ctx, cmd)
	r.inTurn++
	if r.shape < shape.AnswersAtOnce {
		r.audit(ctx, c.name, cmd, answer)
	} else {
		r.auditSoon(ctx, c.name, cmd, answer)
	}
	return answer, nil
}

// valid says why a command is refused; nil where it is not.
func (r *rollout) valid(name string, c api.Command) error {
	again, left := r.again()
	no := plan.Doing{
		Run: r.in.Run, Plan: r.in.Plan, By: r.in.By, Component: r.plan.Subject.String(), Rollback: r.plan.Rollback,
		Closing: r.closing, Aborting: r.want.abort, RollingBack: r.rollingBack(),
		Awaits: r.awaited() != nil, Approvers: r.approvers(), Rejected: r.state.Status.Rejection(),
		ByOthers: r.shape >= shape.ApprovedByOthers, Has: r.known, GoesBack: r.anyWayBack, Among: r.among,
		Paused: r.state.Paused, ByPerson: r.pausedByPerson(), Soaks: r.soaks(), Again: again, Left: left,
	}.Refuses(name, c)
	if no == "" && !r.knows(name) {
		no = fmt.Sprintf("%s %s: it began before there was this command", name, r.in.Run)
	}
	if no == "" {
		return nil
	}
	code := fault.Refused
	if r.closing {
		code = fault.Conflict // whoever asks again once it has ended is answered
	}
	return temporal.NewNonRetryableApplicationError("cannot "+no, string(code), nil)
}

func (r *rollout) rollingBack() bool { return r.backing || len(r.want.rollback) > 0 }

func (r *rollout) doPause(ctx workflow.Context, c api.Command) api.Answer {
	r.state.ByPerson = true
	if r.state.Paused {
		r.tellAll(ctx, tell.Order{Kind: tell.OrderPause, Who: c.Who, Reason: c.Reason})
		return api.Answer{Message: r.in.Run + " is paused already"}
	}
	r.pause(&api.Waiting{Kind: api.WaitPerson, Name: "resume", Since: workflow.Now(ctx).UTC(), Unmet: show.Reasons(c), Owner: c.Who})
	r.tellAll(ctx, tell.Order{Kind: tell.OrderPause, Who: c.Who, Reason: c.Reason})
	r.show(ctx, api.PhasePaused, r.state.Status.Waiting)
	open := api.Counted(len(r.openUnits()), "open unit")
	return api.Answer{Message: fmt.Sprintf("%s pauses: nothing new starts, %s to stop and disarm", r.in.Run, open)}
}

// pause keeps further units from starting.
func (r *rollout) pause(why *api.Waiting) {
	r.state.Paused = true
	r.state.Status.Waiting = why
	r.inTurn++
}

// doResume lets the run go on, and every unit that stands at a check or an error look again.
func (r *rollout) doResume(ctx workflow.Context, c api.Command) api.Answer {
	was := r.state.Paused
	r.state.Paused, r.state.ByPerson, r.state.Status.Waiting = false, false, nil
	r.resumes++
	r.tellAll(ctx, tell.Order{Kind: tell.OrderResume, Who: c.Who, Reason: c.Reason})
	if r.phase == api.PhasePaused {
		r.show(ctx, api.PhaseMoving, nil)
	}
	still := r.heldStill()
	if was {
		return api.Answer{Message: r.in.Run + " goes on" + still}
	}
	return api.Answer{Message: r.in.Run + " was not paused; units that were held look again" + still}
}

// heldStill says which freezes hold the run, after what a command has done.
func (r *rollout) heldStill() (still string) {
	for _, h := range r.state.Holds.List {
		still += "; still held by " + h.String()
	}
	return still
}

func (r *rollout) doAbort(ctx workflow.Context, c api.Command) api.Answer {
	r.aborts++
	if r.want.abort {
		r.tellAll(ctx, tell.Order{Kind: tell.OrderAbort, Who: c.Who, Reason: c.Reason})
		return api.Answer{Message: r.in.Run + " is being aborted already"}
	}
	r.want.abort, r.want.rollback = true, nil
	r.state.Status.Ending = &api.Ending{By: c.Who, Reason: c.Reason}
	r.tellAll(ctx, tell.Order{Kind: tell.OrderAbort, Who: c.Who, Reason: c.Reason})
	open := api.Counted(len(r.openUnits()), "open unit")
	return api.Answer{Message: fmt.Sprintf("%s ends: %s to stop and disarm, pods stay as they are%s", r.in.Run, open, r.owedAbort())}
}

// owedAbort says of open units that are out of reach when they are disarmed, as the end of a sentence; "" where there are none.
func (r *rollout) owedAbort() string {
	away := 0
	for _, u := range r.openUnits() {
		if r.unit(u.cluster).Phase == api.PhaseUnreachable {
			away++
		}
	}
	if away == 0 || r.shape < shape.AbortsOwed {
		return ""
	}
	return fmt.Sprintf("; of these %d out of reach: disarmed when its cluster answers, unless somebody aborts again", away)
}

// known reports whether a scope names anything of the run.
func (r *rollout) known(scope api.Scope) bool { return len(r.among(scope)) > 0 }

// anyWayBack reports whether something in the scope can go back; a unit that is open may have workloads that remember.
func (r *rollout) anyWayBack(scope api.Scope) bool {
	return slices.ContainsFunc(r.among(scope), func(u api.UnitStatus) bool { return r.canGoBack(u.Cluster) || r.open[u.Cluster] != nil })
}

func (r *rollout) doRollback(ctx workflow.Context, c api.Command) api.Answer {
	t, err := r.takingBack(c.Scope)
	if err != nil {
		return api.Answer{Message: err.Error()}
	}
	answer := api.Answer{Units: t.Lines(), Back: &t}
	switch {
	case c.DryRun:
		answer.Message = fmt.Sprintf("%s would go back%s", api.Counted(len(t.Units), "unit"), t.Besides(true))
		return answer
	case r.in.Back != nil:
		answer.Message = r.in.Run + " is rolling back already"
		return answer
	}
	r.wantRollback(ctx, c.Scope, api.Ending{By: c.Who, Reason: c.Reason}, "asked for by "+c.Who+": "+c.Reason)
	answer.Message = fmt.Sprintf("%s of %s goes back, %s%s", c.Scope, r.in.Run, api.Counted(len(t.Units), "unit"), t.Besides(false))
	return answer
}

// audit writes a command down. That it could not be written does not undo it.
func (r *rollout) audit(ctx workflow.Context, name string, c api.Command, a api.Answer) {
	if !c.DryRun {
		r.write(ctx, r.entry(name, c, a))
	}
}

func (r *rollout) entry(name string, c api.Command, a api.Answer) step.AuditRequest {
	return step.AuditRequest{Who: c.Who, Command: name, Run: r.in.Run, Scope: c.Scope.String(), Reason: c.Reason, Outcome: a.Message}
}

func (r *rollout) write(ctx workflow.Context, e step.AuditRequest) {
	if _, err := ask.For(step.AddAudit, "audit "+e.Command, e).Get(ctx); err != nil {
		workflow.GetLogger(ctx).Error("cannot write the audit", "run", r.in.Run, "command", e.Command, "error", err)
	}
}

// auditSoon has a command written down after those before it. Nothing waits for that but the run's end.
func (r *rollout) auditSoon(ctx workflow.Context, name string, c api.Command, a api.Answer) {
	if c.DryRun {
		return
	}
	if r.unwritten = append(r.unwritten, r.entry(name, c, a)); len(r.unwritten) > 1 {
		return // whoever writes the first comes to it
	}
	if r.shape >= shape.AnswersAtOnce {
		ctx, _ = workflow.NewDisconnectedContext(ctx) // what it was said in may be given up: a soak
	}
	workflow.GoNamed(ctx, "audit", func(ctx workflow.Context) {
		for len(r.unwritten) > 0 {
			r.write(ctx, r.unwritten[0])
			r.unwritten = r.unwritten[1:]
		}
	})
}

// auditItself writes down what the run does without being asked.
func (r *rollout) auditItself(ctx workflow.Context, name, why string) {
	if r.shape < shape.AuditsItself {
		return
	}
	came := fmt.Sprintf("%s goes back by itself: its pipeline says onFailure: %s", r.in.Run, r.plan.OnFailure)
	r.auditSoon(ctx, name, api.Command{Who: api.BySluice, Reason: why}, api.Answer{Message: came})
}
