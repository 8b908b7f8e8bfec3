package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// View is where a run is, as far as it could be found out. Note is not empty where that is less than usual, and says why.
type View struct {
	api.RunStatus
	Note string `json:"note,omitempty"`
	// Orders stand: no worker has obeyed them yet.
	Orders []Standing `json:"orders,omitempty"`
	// Bypasses are what others have let it pass.
	Bypasses []ledger.Bypass `json:"bypasses,omitempty"`
	// Blame is what may have broken its units, where somebody asked for that.
	Blame []Blame `json:"blame,omitempty"`
	// Partial: the run itself did not answer. Its stages and units are put together, and may be behind.
	Partial bool `json:"partial,omitempty"`
}

// Held reports whether something of the run stands still until a person decides.
func (v View) Held() bool {
	if v.Phase.Stands() || v.Phase == api.PhasePaused {
		return true
	}
	for _, s := range v.Stages {
		if s.Waiting != nil && s.Waiting.Kind == api.WaitApproval {
			return true
		}
		for _, u := range s.Units {
			if u.Phase.Stands() {
				return true
			}
		}
	}
	return false
}

// Stands reports whether the whole run stands until a person decides: nothing in it goes on by itself. A run that somebody
// has told to end, and one whose units are out of reach, go on.
func (v View) Stands() bool {
	if v.Phase.Stands() || v.Phase == api.PhasePaused {
		return true
	}
	return v.Phase == api.PhaseWaiting && v.Waiting != nil && v.Waiting.Kind == api.WaitApproval
}

// unitQueries is how many units are asked at once.
const unitQueries = 8

// Status says where a run is, down to the batches of every unit that has started. A run that has ended is read from the
// ledger alone. Where no worker answers, what the ledger and Temporal's search attributes say is returned, with a Note.
// Errors are fault.NotFound for a run that the ledger does not know, and fault.Unreachable without a Temporal server.
func (e *Engine) Status(ctx context.Context, run string) (View, error) {
	known, err := e.runNamed(ctx, run)
	if err != nil {
		return View{}, err
	}
	view, err := e.where(ctx, known)
	if err != nil {
		return view, err
	}
	view.Bypasses, err = e.passes(ctx, known)
	return view, err
}

// where is a run that the ledger knows.
func (e *Engine) where(ctx context.Context, known ledger.Run) (View, error) {
	run := known.Name
	if known.Report != "" {
		return e.ended(ctx, known)
	}
	if !known.Ended.IsZero() {
		return e.fromLedger(ctx, known, nil, "it ended before its workflow began; the ledger has no report of it")
	}
	server, err := e.Server(ctx)
	if err != nil {
		return View{}, err
	}
	seen, err := e.ask(ctx, server, run)
	if err == nil && !seen.Phase.Final() {
		err = e.stillOpen(ctx, run)
	}
	if err != nil {
		return e.withoutWorker(ctx, server, known, err)
	}
	view := View{RunStatus: seen}
	e.tell(ctx, server, run, view.Waiting)
	e.fill(ctx, server, &view)
	return view, nil
}

// stillOpen returns an error where a run is closed: it answers then as well, and what it says is where it was terminated.
func (e *Engine) stillOpen(ctx context.Context, run string) error {
	open, err := e.isOpen(ctx, run)
	if err == nil && !open {
		return fault.New(fault.Conflict, "its workflow has ended")
	}
	return err
}

// ask queries a run.
func (e *Engine) ask(ctx context.Context, server *Server, run string) (api.RunStatus, error) {
	var seen api.RunStatus
	err := e.query(ctx, server, run, &seen)
	return seen, err
}

func (e *Engine) query(ctx context.Context, server *Server, workflow string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, e.options.Query)
	defer cancel()
	value, err := server.Temporal.QueryWorkflow(ctx, workflow, "", api.QueryStatus)
	if err != nil {
		return err
	}
	return value.Get(into)
}

// ended reads the report of a run that has ended.
func (e *Engine) ended(ctx context.Context, known ledger.Run) (View, error) {
	report, err := e.reportOf(ctx, known)
	if err != nil {
		return View{}, err
	}
	view := View{RunStatus: report}
	e.fill(ctx, nil, &view)
	return view, nil
}

// withoutWorker answers where the run itself did not.
func (e *Engine) withoutWorker(ctx context.Context, server *Server, known ledger.Run, asked error) (View, error) {
	// The run may have ended between the two looks.
	if again, err := e.ledger.Run(ctx, known.Name); err == nil && again.Report != "" {
		return e.ended(ctx, again)
	}
	described, err := server.Temporal.DescribeWorkflowExecution(ctx, known.Name, "")
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return e.fromLedger(ctx, known, nil, fmt.Sprintf(
			"namespace %s at %s does not know this run; this is what the ledger says", server.Namespace, server.Address))
	}
	if err != nil {
		return View{}, e.temporalFault(err, "cannot look at run %s", known.Name)
	}
	info := described.GetWorkflowExecutionInfo()
	if s := info.GetStatus(); s != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		view, err := e.fromLedger(ctx, known, info, fmt.Sprintf("its workflow has ended as %s without a report; this is what the ledger says", s))
		view.Ended, view.Waiting = info.GetCloseTime().AsTime(), nil
		return view, err
	}
	note := fmt.Sprintf("the run did not answer (%v); is a worker running? (sluice worker)", asked)
	if errors.Is(asked, context.DeadlineExceeded) || codeOf(asked) == fault.Unreachable {
		note = fmt.Sprintf("the run did not answer within %s; is a worker running? (sluice worker)", e.options.Query)
	}
	if err := e.served(ctx); err != nil {
		note = err.Error()
	}
	view, err := e.fromLedger(ctx, known, info, note+"; this is what the ledger and the search attributes say")
	if orders, missed := e.standing(ctx, server, known.Name); missed == nil {
		view.Orders = orders
	}
	view.Partial, view.Waiting = true, &api.Waiting{
		Kind: api.WaitWorker, Since: e.lastWorked(ctx, known, described), Unmet: []string{note}, Owner: "whoever runs the workers",
	}
	return view, err
}

// fill adds what units know of themselves: from the ledger for those that have ended, from their workflows for those
// that are open. What cannot be had is left out; what the run says of the unit stays.
func (e *Engine) fill(ctx context.Context, server *Server, view *View) {
	slots := make(chan struct{}, unitQueries)
	if view.Stages == nil {
		view.Stages = []api.StageStatus{}
	}
	var all sync.WaitGroup
	for i := range view.Stages {
		if view.Stages[i].Units == nil {
			view.Stages[i].Units = []api.UnitStatus{}
		}
		for j := range view.Stages[i].Units {
			u := &view.Stages[i].Units[j]
			if u.Detail == "" && (server == nil || !asks(u)) {
				continue
			}
			slots <- struct{}{}
			all.Go(func() {
				defer func() { <-slots }()
				if u.Detail != "" {
					e.recall(ctx, u)
					return
				}
				e.visit(ctx, server, u)
			})
		}
	}
	all.Wait()
}

// asks reports whether a unit has a workflow of its own that is open. One that waits for the lock has not: the workflow
// under its name is another run's.
func asks(u *api.UnitStatus) bool {
	return u.Workflow != "" && !u.Phase.Final() && (u.Waiting == nil || u.Waiting.Kind != api.WaitLock)
}

// recall adds what only the whole status of a unit that has ended tells. The run's word goes for the rest: a unit may have
// failed since, in the soak of its stage.
func (e *Engine) recall(ctx context.Context, u *api.UnitStatus) {
	whole, known := e.whole(ctx, u.Detail)
	if !known {
		return
	}
	u.Batches, u.Checks, u.Behind = whole.Batches, slices.Concat(whole.Checks, u.Checks), whole.Behind
	u.Failure, u.Cause = told(u.Failure, whole), told(u.Cause, whole)
	e.remember(ctx, u)
}

// remember adds to a unit that was taken back what the check for which it went had seen.
func (e *Engine) remember(ctx context.Context, u *api.UnitStatus) {
	before, known := e.whole(ctx, u.Before)
	if !known {
		return
	}
	u.Failure, u.Cause = told(u.Failure, before), told(u.Cause, before)
}

// stoppedAt is the batch at which a check stopped a unit, as it was left there; nil where that was no batch.
func (e *Engine) stoppedAt(ctx context.Context, u *api.UnitStatus) *api.BatchStatus {
	before, _ := e.whole(ctx, u.Before)
	for _, batches := range [][]api.BatchStatus{u.Batches, before.Batches} {
		for i := range batches {
			if b := &batches[i]; b.Path == u.FailedAt || b.Path == u.CauseAt {
				return b
			}
		}
	}
	return nil
}

// whole is the status of a unit as it ended; false where there is none.
func (e *Engine) whole(ctx context.Context, digest string) (api.UnitStatus, bool) {
	if digest == "" {
		return api.UnitStatus{}, false
	}
	whole, known := e.details.get(digest)
	if !known {
		if err := e.read(ctx, digest, &whole); err != nil {
			return whole, false
		}
		e.details.put(digest, whole)
	}
	return whole, true
}

// told is a check with what it saw, where a unit's own record has that.
func told(c *api.Check, by api.UnitStatus) *api.Check {
	if c == nil {
		return nil
	}
	for _, of := range []*api.Check{by.Failure, by.Cause} {
		if of != nil && of.Name == c.Name && of.At == c.At {
			return of
		}
	}
	return c
}

// visit asks an open unit, and reads the counts of the batch that it is moving.
func (e *Engine) visit(ctx context.Context, server *Server, u *api.UnitStatus) {
	var seen api.UnitStatus
	if err := e.query(ctx, server, u.Workflow, &seen); err != nil || seen.Cluster != u.Cluster {
		return
	}
	// Before its workflow has begun, the one that answers under this name is that of an earlier run.
	if seen.Started.Before(u.Started) {
		return
	}
	before, cause, at := u.Before, u.Cause, u.CauseAt
	seen.Nodes = cmp.Or(seen.Nodes, u.Nodes)
	*u = seen
	if u.Before = before; u.Cause == nil {
		u.Cause, u.CauseAt = cause, at
	}
	e.remember(ctx, u)
	e.tell(ctx, server, u.Workflow, u.Waiting)
	if batch := moving(u); batch != nil {
		if progress, ok := e.progress(ctx, server, u.Workflow); ok && progress.Total > 0 {
			batch.Updated, batch.Ready = progress.Updated, progress.Ready
		}
	}
}

// moving returns the batch that a unit is at, or nil.
func moving(u *api.UnitStatus) *api.BatchStatus {
	if len(u.Batches) == 0 {
		return nil
	}
	last := &u.Batches[len(u.Batches)-1]
	if last.Phase.Final() {
		return nil
	}
	return last
}
