package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// SaveDrilled implements ledger.Drills.
func (s *Store) SaveDrilled(ctx context.Context, d api.Drilled) error {
	d.Started, d.Until, d.Ended = d.Started.UTC().Round(0), d.Until.UTC().Round(0), d.Ended.UTC().Round(0) // as they are read
	body, err := json.Marshal(d)
	if err != nil {
		return failed(err, "cannot save drill %s", d.ID)
	}
	err = s.write(ctx, turnOfDrills, func(tx handle) error {
		was, err := scanDrilled(tx.QueryRowContext(ctx, `SELECT body FROM drilled WHERE id = ?`, d.ID))
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err := ledger.CheckDrilled(was, d); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `
			INSERT INTO drilled (id, drill, body) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body`,
			d.ID, d.Drill, string(body))
		return err
	})
	return failed(err, "cannot save drill %s", d.ID)
}

// Drilled implements ledger.Drills.
func (s *Store) Drilled(ctx context.Context, id string) (api.Drilled, error) {
	d, err := scanDrilled(s.all.QueryRowContext(ctx, `SELECT body FROM drilled WHERE id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return d, fault.New(fault.NotFound, "cannot find drill %s", id)
	}
	return d, failed(err, "cannot read drill %s", id)
}

// ListDrilled implements ledger.Drills.
func (s *Store) ListDrilled(ctx context.Context, drill string, limit int) ([]api.Drilled, error) {
	return unmarked(s.PageDrilled(ctx, drill, ledger.Page{Limit: limit}))
}

// PageDrilled implements ledger.Drills.
func (s *Store) PageDrilled(ctx context.Context, drill string, p ledger.Page) ([]ledger.Marked[api.Drilled], error) {
	list, err := rows(ctx, s.all, marked(scanDrilled), `
		SELECT seq, body FROM drilled WHERE seq < ? AND (? = '' OR drill = ?)
		ORDER BY seq DESC LIMIT ?`, below(p), drill, drill, ledger.Rows(p.Limit))
	return list, failed(err, "cannot list drills")
}

func scanDrilled(row scanner) (api.Drilled, error) {
	var d api.Drilled
	var body string
	err := row.Scan(&body)
	if err == nil {
		err = json.Unmarshal([]byte(body), &d)
	}
	return d, err
}
