package engine

import (
	"context"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/status"
)

// Runs lists the newest runs first, with the phase that Temporal's search attributes say where one is open; component ""
// means all. Without a Temporal server open runs keep the phase that the ledger has.
func (e *Engine) Runs(ctx context.Context, component string, limit int) ([]ledger.Run, error) {
	all, err := e.ledger.ListRuns(ctx, component, limit)
	if err != nil {
		return nil, err
	}
	var server *Server
	for i := range all {
		if !all[i].Ended.IsZero() {
			continue
		}
		if server == nil {
			if server, err = e.Server(ctx); err != nil {
				return all, nil
			}
		}
		described, err := server.Temporal.DescribeWorkflowExecution(ctx, all[i].Name, "")
		if err != nil {
			continue
		}
		var now status.Run
		addAttributes(&now, described.GetWorkflowExecutionInfo())
		if now.Phase != "" {
			all[i].Phase = string(now.Phase)
		}
	}
	return all, nil
}

// Plans lists the newest plans first; component "" means all.
func (e *Engine) Plans(ctx context.Context, component string, limit int) ([]ledger.Plan, error) {
	return e.ledger.ListPlans(ctx, component, limit)
}

// Audit lists who did what, the newest first; object (a run, or the hash of a plan) "" means all.
func (e *Engine) Audit(ctx context.Context, object string, limit int) ([]ledger.Entry, error) {
	return e.ledger.ListEntries(ctx, object, limit)
}

// Report is everything that is known of a run: every unit with its batches and checks. It is what Status returns, but a
// run that cannot be told in full is fault.Unreachable.
func (e *Engine) Report(ctx context.Context, run string) (status.Run, error) {
	view, err := e.Status(ctx, run)
	if err != nil {
		return status.Run{}, err
	}
	if view.Note != "" {
		return view.Run, fault.New(fault.Unreachable, "cannot tell all of run %s: %s", run, view.Note)
	}
	return view.Run, nil
}
