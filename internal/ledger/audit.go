package ledger

import (
	"context"
	"database/sql"
)

const entryColumns = `id, at, who, command, object, scope, reason, outcome`

// AddEntry implements Audit. The entry's ID is given by the store.
func (s *SQLite) AddEntry(ctx context.Context, e Entry) error {
	if err := required("audit entry", "command", e.Command, "who", e.Who); err != nil {
		return failed(err, "cannot add to audit")
	}
	err := s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO audit (at, who, command, object, scope, reason, outcome) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			formatTime(e.At), e.Who, e.Command, e.Object, e.Scope, e.Reason, e.Outcome)
		return err
	})
	return failed(err, "cannot add to audit")
}

// ListEntries implements Audit.
func (s *SQLite) ListEntries(ctx context.Context, object string, limit int) ([]Entry, error) {
	list, err := rows(ctx, s.db, scanEntry, `
		SELECT `+entryColumns+` FROM audit WHERE (? = '' OR object = ?)
		ORDER BY id DESC LIMIT ?`, object, object, bounded(limit))
	return list, failed(err, "cannot list audit")
}

func scanEntry(row scanner) (Entry, error) {
	var e Entry
	var at string
	if err := row.Scan(&e.ID, &at, &e.Who, &e.Command, &e.Object, &e.Scope, &e.Reason, &e.Outcome); err != nil {
		return Entry{}, err
	}
	var err error
	e.At, err = parseTime(at)
	return e, err
}
