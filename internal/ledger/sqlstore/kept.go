package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

const keptColumns = `kind, name, document, kept_by, at, revision`

// Keep implements ledger.KeptDocuments.
func (s *Store) Keep(ctx context.Context, k ledger.Kept, most int) (ledger.Kept, error) {
	if err := k.Check(); err != nil {
		return ledger.Kept{}, failed(err, "cannot keep %s %s", k.Kind, k.Name)
	}
	var kept ledger.Kept
	err := s.write(ctx, turnOfDocuments, func(tx handle) error {
		var err error
		kept, err = oneKept(ctx, tx, k.Kind, k.Name)
		switch {
		case err == nil && bytes.Equal(kept.Document, k.Document):
			return nil
		case err == nil:
			if _, err := tx.ExecContext(ctx, `DELETE FROM kept WHERE revision = ?`, kept.Revision); err != nil {
				return err
			}
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		var has int
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM kept WHERE kind = ?`, k.Kind).Scan(&has); err != nil {
			return err
		}
		if has >= most {
			return fault.New(fault.Refused, "%d of its kind are kept already, and no more may be", has)
		}
		kept, err = scanKept(tx.QueryRowContext(ctx, `
			INSERT INTO kept (kind, name, document, kept_by, at) VALUES (?, ?, ?, ?, ?) RETURNING `+keptColumns,
			k.Kind, k.Name, string(k.Document), k.By, formatTime(k.At)))
		return err
	})
	if err != nil {
		return ledger.Kept{}, failed(err, "cannot keep %s %s", k.Kind, k.Name)
	}
	return kept, nil
}

// Drop implements ledger.KeptDocuments.
func (s *Store) Drop(ctx context.Context, kind, name string) (ledger.Kept, error) {
	var kept ledger.Kept
	err := s.write(ctx, turnOfDocuments, func(tx handle) error {
		var err error
		kept, err = oneKept(ctx, tx, kind, name)
		if errors.Is(err, sql.ErrNoRows) {
			return fault.New(fault.NotFound, "none is kept")
		}
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM kept WHERE revision = ?`, kept.Revision)
		return err
	})
	return kept, failed(err, "cannot drop %s %s", kind, name)
}

// ListKept implements ledger.KeptDocuments.
func (s *Store) ListKept(ctx context.Context, kind string) ([]ledger.Kept, error) {
	list, err := rows(ctx, s.all, scanKept,
		`SELECT `+keptColumns+` FROM kept WHERE ? = '' OR kind = ? ORDER BY kind, name`, kind, kind)
	return list, failed(err, "cannot list what is kept")
}

func oneKept(ctx context.Context, tx handle, kind, name string) (ledger.Kept, error) {
	return scanKept(tx.QueryRowContext(ctx, `SELECT `+keptColumns+` FROM kept WHERE kind = ? AND name = ?`, kind, name))
}

func scanKept(row scanner) (ledger.Kept, error) {
	var k ledger.Kept
	var document string
	err := row.Scan(&k.Kind, &k.Name, &document, &k.By, moment{&k.At}, &k.Revision)
	k.Document = []byte(document)
	return k, err
}
