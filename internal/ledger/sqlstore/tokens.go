package sqlstore

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"time"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

const tokenColumns = `id, name, hash, created_by, created, expires, last_used, revoked, revoked_by`

// PutToken implements ledger.Tokens.
func (s *Store) PutToken(ctx context.Context, t ledger.Token) error {
	err := s.write(ctx, NoTurn, func(tx handle) error {
		added, err := tx.ExecContext(ctx, `
			INSERT INTO tokens (`+tokenColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
			t.ID, t.Name, hex.EncodeToString(t.Hash[:]), t.CreatedBy, formatTime(t.Created), formatTime(t.Expires), formatTime(t.LastUsed),
			formatTime(t.Revoked), t.RevokedBy)
		if err != nil {
			return err
		}
		if n, err := added.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, fault.New(fault.Conflict, "its ID is taken"))
		}
		return nil
	})
	return failed(err, "cannot keep token %s", t.ID)
}

// Token implements ledger.Tokens.
func (s *Store) Token(ctx context.Context, id string) (ledger.Token, error) {
	t, err := scanToken(s.all.QueryRowContext(ctx, `SELECT `+tokenColumns+` FROM tokens WHERE id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return ledger.Token{}, fault.New(fault.NotFound, "cannot find token %s", id)
	}
	return t, failed(err, "cannot read token %s", id)
}

// ListTokens implements ledger.Tokens.
func (s *Store) ListTokens(ctx context.Context) ([]ledger.Token, error) {
	list, err := rows(ctx, s.all, scanToken, `SELECT `+tokenColumns+` FROM tokens ORDER BY name, created, id`)
	return list, failed(err, "cannot list tokens")
}

// RevokeToken implements ledger.Tokens.
func (s *Store) RevokeToken(ctx context.Context, id, by string, at time.Time) (ledger.Token, error) {
	var t ledger.Token
	err := s.write(ctx, NoTurn, func(tx handle) error {
		_, err := tx.ExecContext(ctx, `UPDATE tokens SET revoked = ?, revoked_by = ? WHERE id = ? AND revoked = ''`, formatTime(at), by, id)
		if err != nil {
			return err
		}
		t, err = scanToken(tx.QueryRowContext(ctx, `SELECT `+tokenColumns+` FROM tokens WHERE id = ?`, id))
		if errors.Is(err, sql.ErrNoRows) {
			return fault.New(fault.NotFound, "there is no such token")
		}
		return err
	})
	return t, failed(err, "cannot revoke token %s", id)
}

// UseToken implements ledger.Tokens.
func (s *Store) UseToken(ctx context.Context, id string, at time.Time) error {
	err := s.write(ctx, NoTurn, func(tx handle) error {
		used, err := tx.ExecContext(ctx, `UPDATE tokens SET last_used = CASE WHEN last_used < ? THEN ? ELSE last_used END WHERE id = ?`,
			formatTime(at), formatTime(at), id)
		if err != nil {
			return err
		}
		if n, err := used.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, fault.New(fault.NotFound, "there is no such token"))
		}
		return nil
	})
	return failed(err, "cannot note that token %s was used", id)
}

func scanToken(row scanner) (ledger.Token, error) {
	var t ledger.Token
	var hash string
	err := row.Scan(&t.ID, &t.Name, &hash, &t.CreatedBy, moment{&t.Created}, moment{&t.Expires}, moment{&t.LastUsed}, moment{&t.Revoked},
		&t.RevokedBy)
	if err == nil {
		_, err = hex.Decode(t.Hash[:], []byte(hash))
	}
	return t, err
}
