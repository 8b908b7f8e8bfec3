package engine

import (
	"context"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// maxEntries is how many entries about one thing are looked through.
const maxEntries = 5000

// findEntry is the newest entry about a run, a plan by its whole hash, or what else, that is one of those that are looked for. All
// is false where there are more entries than are looked through, and none of those was one.
func (e *Engine) findEntry(
	ctx context.Context, object string, is func(ledger.Entry) bool,
) (entry ledger.Entry, found, all bool, err error) {
	p := ledger.Page{Limit: readMore}
	for range maxEntries / readMore {
		entries, err := e.ledger.PageEntries(ctx, object, p)
		if err != nil {
			return ledger.Entry{}, false, false, err
		}
		for _, m := range entries {
			if is(m.Row) {
				return m.Row, true, true, nil
			}
			p.After = m.Mark
		}
		if len(entries) < readMore {
			return ledger.Entry{}, false, true, nil
		}
	}
	return ledger.Entry{}, false, false, nil
}

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
