package engine

import (
	"context"

	"sluice.dev/sluice/internal/ledger"
)

// Notices lists what receivers were told, and are to be told, the newest first; receiver "" means all.
func (e *Engine) Notices(ctx context.Context, receiver string, limit int) ([]ledger.Notice, error) {
	return e.ledger.ListNotices(ctx, receiver, limit)
}
