package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/identity"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
)

// Command tells a run something: api.UpdatePause and its like. It returns once the run has accepted it. Where nobody
// can, since no worker serves runs or none answers, the order stands until one does, and the Answer says so. A run that says
// no is a fault.Refused with its words, and so is a command that a window of the run denies; the refusal is in the audit, unless it
// was a dry run. A run that has ended takes a rollback or a retry, by a run of its own that Answer names; pause, resume and
// abort do nothing there, and say so; everything else is refused.
func (e *Engine) Command(ctx context.Context, run, name string, c api.Command) (api.Answer, error) {
	c.Who, c.Proven = e.named(c.Who), e.options.Proven
	if long := plan.Overlong(c); long != "" {
		return api.Answer{}, fault.New(fault.Invalid, "cannot %s %s: %s", spelled(name), run, long)
	}
	known, err := e.runNamed(ctx, run)
	if err != nil {
		return api.Answer{}, err
	}
	var answer api.Answer
	if err = e.windowed(ctx, known, name, c); err == nil {
		err = second(known, name, c)
	}
	if err == nil {
		answer, err = e.command(ctx, known, name, c)
	}
	if c.DryRun || fault.CodeOf(err) != fault.Refused && fault.CodeOf(err) != fault.Conflict {
		return answer, err
	}
	return answer, errors.Join(err, e.audit(ctx, ledger.Entry{
		Who: c.Who, Command: name, Object: run, Scope: c.Scope.String(), Reason: c.Reason, Outcome: ledger.Refused + err.Error(),
	}))
}

// second refuses the approval of whoever may have started the run under another name. Of the same name the run itself refuses it.
func second(known ledger.Run, name string, c api.Command) error {
	if name != api.UpdateApprove || identity.Same(c.Who, known.By) || !identity.MaybeSame(c.Who, known.By) {
		return nil
	}
	return fault.New(fault.Refused, "cannot approve %s: %s started it, and %s may be the same person; it takes another one",
		known.Name, known.By, c.Who)
}

func (e *Engine) command(ctx context.Context, known ledger.Run, name string, c api.Command) (api.Answer, error) {
	if !known.Ended.IsZero() {
		return e.afterEnd(ctx, known, name, c)
	}
	answer, err := e.order(ctx, known.Name, api.StandingOrder{ID: name + "-" + rand.Text(), Name: name, Command: c})
	if endedFirst(err) {
		return e.taken(ctx, known.Name, name, c)
	}
	if closing(err) {
		return e.afterClosing(ctx, known.Name, name, c)
	}
	var missing *serviceerror.NotFound
	if !errors.As(err, &missing) {
		return answer, e.refusal(err, known.Name, name)
	}
	// It has ended since, or its workflow was taken away.
	again, err := e.ledger.Run(ctx, known.Name)
	if err != nil {
		return answer, err
	}
	return e.afterEnd(ctx, again, name, c)
}

// order has a run obey at once, or as soon as there is somebody who can. It has one ID either way, so that it acts once.
func (e *Engine) order(ctx context.Context, run string, o api.StandingOrder) (api.Answer, error) {
	if err := e.served(ctx); fault.CodeOf(err) == fault.Unreachable {
		return e.leave(ctx, run, o, err)
	}
	answer, err := e.update(ctx, run, o)
	if flooded(err) {
		answer, err = e.squeeze(ctx, run, o)
	}
	var silent *client.WorkflowUpdateServiceTimeoutOrCanceledError
	if !errors.As(err, &silent) || ctx.Err() != nil {
		return answer, err
	}
	why := e.served(ctx)
	if why == nil {
		why = fault.New(fault.Unreachable, "it did not answer within %s", e.options.Patience.Command)
	}
	return e.leave(ctx, run, o, why)
}

// update sends a command and waits for its answer.
func (e *Engine) update(ctx context.Context, run string, o api.StandingOrder) (api.Answer, error) {
	var answer api.Answer
	server, err := e.Server(ctx)
	if err != nil {
		return answer, err
	}
	ctx, cancel := context.WithTimeout(ctx, e.options.Patience.Command)
	defer cancel()
	handle, err := server.Temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		UpdateID: o.ID, WorkflowID: run, UpdateName: o.Name, Args: []any{o.Command},
		WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		return answer, err
	}
	err = handle.Get(ctx, &answer)
	return answer, err
}

// endedFirst reports whether a run took a command, and ended before it could answer and write the audit.
func endedFirst(err error) bool {
	var app *temporal.ApplicationError
	return errors.As(err, &app) && app.Type() == "AcceptedUpdateCompletedWorkflow"
}

// closing reports whether a run took no command, since its end is being written down.
func closing(err error) bool {
	var app *temporal.ApplicationError
	return errors.As(err, &app) && app.Type() == string(fault.Conflict)
}

// lookAgain is how often the ledger is asked whether a run that closes has ended.
const lookAgain = 200 * time.Millisecond

// afterClosing answers for a run whose end is being written down, once it is.
func (e *Engine) afterClosing(ctx context.Context, run, name string, c api.Command) (api.Answer, error) {
	known := ledger.Run{Name: run}
	if ended, err := e.hasEnded(ctx, &known); err != nil || ended {
		if err != nil {
			return api.Answer{}, err
		}
		return e.afterEnd(ctx, known, name, c)
	}
	return api.Answer{}, fault.New(fault.Conflict, "cannot %s %s: its end is being written down; try again", spelled(name), run)
}

// hasEnded waits for a while until the ledger says how a run has ended, and reports whether it does.
func (e *Engine) hasEnded(ctx context.Context, known *ledger.Run) (bool, error) {
	within, cancel := context.WithTimeout(ctx, e.options.Patience.Command)
	defer cancel()
	ticker := e.options.Clock.NewTicker(lookAgain)
	defer ticker.Stop()
	for {
		again, err := e.ledger.Run(ctx, known.Name)
		if err != nil {
			return false, err
		}
		if *known = again; !again.Ended.IsZero() {
			return true, nil
		}
		select {
		case <-within.Done():
			return false, nil
		case <-ticker.C():
		}
	}
}

// taken answers, and writes the audit, in the place of a run that has just ended.
func (e *Engine) taken(ctx context.Context, run, name string, c api.Command) (api.Answer, error) {
	known, err := e.ledger.Run(ctx, run)
	if err != nil {
		return api.Answer{}, err
	}
	answer := api.Answer{Message: fmt.Sprintf("%s took the command %s, and has ended as %s", run, name, known.Phase)}
	return answer, e.audit(ctx, ledger.Entry{
		Who: c.Who, Command: name, Object: run, Scope: c.Scope.String(), Reason: c.Reason, Outcome: answer.Message,
	})
}

// refusal turns the answer of a run into words of ours.
func (e *Engine) refusal(err error, run, name string) error {
	if err == nil {
		return nil
	}
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return fault.New(fault.Refused, "%s", app.Message())
	}
	if fault.CodeOf(err) == fault.Conflict {
		return err // in words of ours already
	}
	return e.temporalFault(err, "cannot %s %s", name, run)
}

// afterEnd answers for a run that has ended.
func (e *Engine) afterEnd(ctx context.Context, known ledger.Run, name string, c api.Command) (api.Answer, error) {
	how := "has ended as " + known.Phase
	if known.Ended.IsZero() {
		open, err := e.isOpen(ctx, known.Name)
		if err != nil {
			return api.Answer{}, err
		}
		if open {
			return api.Answer{}, fault.New(fault.Conflict, "cannot %s %s: it was restarting; try again", name, known.Name)
		}
		how = "has no open workflow, and no report in the ledger"
	} else {
		how += " at " + known.Ended.Format("2006-01-02 15:04:05 MST")
	}
	switch name {
	case api.UpdateRollback:
		return e.takeBack(ctx, known, c)
	case api.UpdateRetry:
		return e.retry(ctx, known, c)
	case api.UpdateApprove, api.UpdateReject:
		if report, err := e.reportOf(ctx, known); err == nil && report.Rejection() != "" {
			how += ", since " + report.Rejection() + "; a retry of it asks anew"
		}
		return api.Answer{}, fault.New(fault.Refused, "cannot %s %s: it %s", name, known.Name, how)
	case api.UpdateSkip, api.UpdateEndSoak, api.UpdateRetreat:
		return api.Answer{}, fault.New(fault.Refused, "cannot %s %s: it %s", spelled(name), known.Name, how)
	}
	return api.Answer{Message: fmt.Sprintf("%s %s: there is nothing to %s", known.Name, how, name)}, nil
}
