package engine

import (
	"context"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// Audit lists who did what, the newest first; object (a run, or the hash of a plan) "" means all.
func (e *Engine) Audit(ctx context.Context, object string, limit int) ([]ledger.Entry, error) {
	return e.ledger.ListEntries(ctx, object, limit)
}

// Report is everything that is known of a run: every unit with its batches and checks. It is what Status returns, but a
// run that cannot be told in full is fault.Unreachable.
func (e *Engine) Report(ctx context.Context, run string) (api.RunStatus, error) {
	view, err := e.Status(ctx, run)
	if err != nil {
		return api.RunStatus{}, err
	}
	if view.Note != "" {
		return view.RunStatus, fault.New(fault.Unreachable, "cannot tell all of run %s: %s", run, view.Note)
	}
	return view.RunStatus, nil
}
