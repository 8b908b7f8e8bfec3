package engine

import (
	"context"

	"sluice.dev/sluice/internal/ledger"
)

// Notices lists what receivers were told, and are to be told, the newest first; receiver "" means all.
func (e *Engine) Notices(ctx context.Context, receiver string, limit int) ([]ledger.Notice, error) {
	return items(e.NoticesPage(ctx, receiver, ledger.Page{Limit: limit}))
}

// NoticesPage is a part of that list.
func (e *Engine) NoticesPage(ctx context.Context, receiver string, p ledger.Page) (Page[ledger.Notice], error) {
	return every(p, func(p ledger.Page) ([]ledger.Marked[ledger.Notice], error) {
		return e.ledger.PageNotices(ctx, receiver, p)
	})
}
