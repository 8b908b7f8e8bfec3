package sqlstore

import (
	"context"

	"sluice.dev/sluice/internal/ledger"
)

const entryColumns = `id, at, who, command, object, scope, reason, outcome`

// AddEntry implements ledger.Audit.
func (s *Store) AddEntry(ctx context.Context, e ledger.Entry) error {
	if err := e.Check(); err != nil {
		return failed(err, "cannot add to audit")
	}
	err := s.alone(ctx, func(h handle) error { return addEntry(ctx, h, e) })
	return failed(err, "cannot add to audit")
}

func addEntry(ctx context.Context, tx handle, e ledger.Entry) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO audit (at, who, command, object, scope, reason, outcome) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		formatTime(e.At), readable(e.Who), e.Command, readable(e.Object), readable(e.Scope), readable(e.Reason), readable(e.Outcome))
	return err
}

// ListEntries implements ledger.Audit.
func (s *Store) ListEntries(ctx context.Context, object string, limit int) ([]ledger.Entry, error) {
	return unmarked(s.PageEntries(ctx, object, ledger.Page{Limit: limit}))
}

// PageEntries implements ledger.Audit.
func (s *Store) PageEntries(ctx context.Context, object string, p ledger.Page) ([]ledger.Marked[ledger.Entry], error) {
	list, err := rows(ctx, s.all, marked(scanEntry), `
		SELECT id, `+entryColumns+` FROM audit WHERE id < ? AND (? = '' OR object = ?)
		ORDER BY id DESC LIMIT ?`, below(p), object, object, ledger.Rows(p.Limit))
	return list, failed(err, "cannot list audit")
}

func scanEntry(row scanner) (ledger.Entry, error) {
	var e ledger.Entry
	err := row.Scan(&e.ID, moment{&e.At}, &e.Who, &e.Command, &e.Object, &e.Scope, &e.Reason, &e.Outcome)
	return e, err
}
