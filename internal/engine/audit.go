package engine

import (
	"context"

	"sluice.dev/sluice/internal/ledger"
)

// Audit lists who did what, the newest first; object (a run, or the hash of a plan) "" means all.
func (e *Engine) Audit(ctx context.Context, object string, limit int) ([]ledger.Entry, error) {
	return e.ledger.ListEntries(ctx, object, limit)
}
