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
	err := s.write(ctx, turnOfDocuments, func(tx handle) (err error) {
		kept, err = keep(ctx, tx, k, most)
		return err
	})
	if err != nil {
		return ledger.Kept{}, failed(err, "cannot keep %s %s", k.Kind, k.Name)
	}
	return kept, nil
}

func keep(ctx context.Context, tx handle, k ledger.Kept, most int) (ledger.Kept, error) {
	kept, err := oneKept(ctx, tx, k.Kind, k.Name)
	switch {
	case err == nil && bytes.Equal(kept.Document, k.Document):
		return kept, nil
	case err == nil:
		if _, err := tx.ExecContext(ctx, `DELETE FROM kept WHERE revision = ?`, kept.Revision); err != nil {
			return kept, err
		}
	case !errors.Is(err, sql.ErrNoRows):
		return kept, err
	}
	var has int
	if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM kept WHERE kind = ?`, k.Kind).Scan(&has); err != nil {
		return kept, err
	}
	if has >= most {
		return kept, fault.New(fault.Refused, "%d of its kind are kept already, and no more may be", has)
	}
	return scanKept(tx.QueryRowContext(ctx, `
		INSERT INTO kept (kind, name, document, kept_by, at) VALUES (?, ?, ?, ?, ?) RETURNING `+keptColumns,
		k.Kind, k.Name, string(k.Document), k.By, formatTime(k.At)))
}

// Amend implements ledger.KeptDocuments.
func (s *Store) Amend(ctx context.Context, a ledger.Amendment) ([]ledger.Kept, error) {
	for _, k := range a.Keep {
		if err := k.Check(); err != nil {
			return nil, failed(err, "cannot keep %s %s", k.Kind, k.Name)
		}
	}
	for _, e := range a.Entries {
		if err := e.Check(); err != nil {
			return nil, failed(err, "cannot keep anything")
		}
	}
	var kept []ledger.Kept
	err := s.write(ctx, turnOfDocuments, func(tx handle) error {
		if err := unchanged(ctx, tx, a.Seen); err != nil {
			return err
		}
		for _, k := range a.Drop {
			if _, err := tx.ExecContext(ctx, `DELETE FROM kept WHERE kind = ? AND name = ?`, k.Kind, k.Name); err != nil {
				return err
			}
		}
		kept = kept[:0]
		for _, k := range a.Keep {
			now, err := keep(ctx, tx, k, a.Most(k.Kind))
			if err != nil {
				return failed(err, "cannot keep %s %s", k.Kind, k.Name)
			}
			kept = append(kept, now)
		}
		for _, e := range a.Entries {
			if err := addEntry(ctx, tx, e); err != nil {
				return err
			}
		}
		return nil
	})
	return kept, failed(err, "cannot change what is kept")
}

// unchanged is Conflict where other documents are kept than somebody has seen.
func unchanged(ctx context.Context, tx handle, seen []ledger.Kept) error {
	revision := func(row scanner) (n int64, err error) {
		err = row.Scan(&n)
		return n, err
	}
	now, err := rows(ctx, tx, revision, `SELECT revision FROM kept`)
	if err != nil {
		return err
	}
	then := map[int64]bool{}
	for _, k := range seen {
		then[k.Revision] = true
	}
	for _, n := range now {
		if !then[n] {
			return fault.New(fault.Conflict, "somebody else has changed what is kept at the same moment; do it again")
		}
	}
	if len(now) != len(seen) {
		return fault.New(fault.Conflict, "somebody else has deleted a document at the same moment; do it again")
	}
	return nil
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
