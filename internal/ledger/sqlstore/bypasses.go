package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"sluice.dev/sluice/internal/ledger"
)

const bypassColumns = `plan, of_what, made_by, reason, at`

// AddBypass implements ledger.Bypasses.
func (s *Store) AddBypass(ctx context.Context, b ledger.Bypass) (ledger.Bypass, error) {
	if err := b.Check(); err != nil {
		return ledger.Bypass{}, failed(err, "cannot bypass %s", b.Of)
	}
	err := s.write(ctx, turnOfFreezes, func(tx handle) error {
		made, err := scanBypass(tx.QueryRowContext(ctx,
			`SELECT `+bypassColumns+` FROM bypasses WHERE plan = ? AND of_what = ? AND made_by = ?`, b.Plan, b.Of, b.By))
		if !errors.Is(err, sql.ErrNoRows) {
			b = made
			return err
		}
		var has int
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM bypasses WHERE plan = ?`, b.Plan).Scan(&has); err != nil {
			return err
		}
		if err := ledger.CheckRoom(has); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO bypasses (`+bypassColumns+`) VALUES (?, ?, ?, ?, ?)`,
			b.Plan, b.Of, b.By, readable(b.Reason), formatTime(b.At))
		if err != nil {
			return err
		}
		return revise(ctx, tx)
	})
	if err != nil {
		return ledger.Bypass{}, failed(err, "cannot bypass %s", b.Of)
	}
	return b, nil
}

// Bypasses implements ledger.Bypasses.
func (s *Store) Bypasses(ctx context.Context, plan string) ([]ledger.Bypass, error) {
	list, err := rows(ctx, s.all, scanBypass, `SELECT `+bypassColumns+` FROM bypasses WHERE plan = ? ORDER BY seq`, plan)
	return list, failed(err, "cannot list bypasses of plan %.12s", plan)
}

// BypassesOf implements ledger.Bypasses.
func (s *Store) BypassesOf(ctx context.Context, of string) ([]ledger.Bypass, error) {
	list, err := rows(ctx, s.all, scanBypass,
		`SELECT `+bypassColumns+` FROM bypasses WHERE of_what = ? ORDER BY seq LIMIT ?`, of, ledger.Rows(0))
	return list, failed(err, "cannot list bypasses of %s", of)
}

func scanBypass(row scanner) (ledger.Bypass, error) {
	var b ledger.Bypass
	err := row.Scan(&b.Plan, &b.Of, &b.By, &b.Reason, moment{&b.At})
	return b, err
}
