package engine

import (
	"context"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/status"
)

// Listed is a run of a list. Note is not empty where Temporal could not say how far it is: then its phase is the ledger's.
type Listed struct {
	ledger.Run
	Note string `json:"note,omitempty"`
}

// Runs lists the newest runs first, with the phase that Temporal's search attributes say where one is open; component ""
// means all. Without a Temporal server open runs keep the phase that the ledger has, and a note says so.
func (e *Engine) Runs(ctx context.Context, component string, limit int) ([]Listed, error) {
	known, err := e.ledger.ListRuns(ctx, component, limit)
	if err != nil {
		return nil, err
	}
	all := make([]Listed, len(known))
	for i, r := range known {
		all[i].Run = r
	}
	var server *Server
	var away error
	for i := range all {
		if !all[i].Ended.IsZero() {
			continue
		}
		if server == nil && away == nil {
			server, away = e.Server(ctx)
		}
		if away != nil {
			all[i].Note = away.Error() + "; this is what the ledger says"
			continue
		}
		described, err := server.Temporal.DescribeWorkflowExecution(ctx, all[i].Name, "")
		if err != nil {
			all[i].Note = e.temporalFault(err, "cannot look at run %s", all[i].Name).Error() + "; this is what the ledger says"
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
