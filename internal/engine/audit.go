package engine

import (
	"context"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// Denied writes into the audit that somebody was denied what he asked for.
func (e *Engine) Denied(ctx context.Context, entry ledger.Entry) error {
	return e.audit(context.WithoutCancel(ctx), entry)
}

// Audit lists who did what, the newest first; object (a run, the hash of a plan or the first characters of it, or what else commands are
// about) "" means all.
func (e *Engine) Audit(ctx context.Context, object string, limit int) ([]ledger.Entry, error) {
	return items(e.AuditPage(ctx, object, ledger.Page{Limit: limit}))
}

// AuditPage is a part of that list.
func (e *Engine) AuditPage(ctx context.Context, object string, p ledger.Page) (Page[ledger.Entry], error) {
	if object != "" {
		switch meant, err := e.ledger.Plan(ctx, object); fault.CodeOf(err) {
		case "":
			object = meant.Hash
		case fault.NotFound: // it is no plan
		default:
			return Page[ledger.Entry]{}, err
		}
	}
	return every(p, func(p ledger.Page) ([]ledger.Marked[ledger.Entry], error) {
		return e.ledger.PageEntries(ctx, object, p)
	})
}
