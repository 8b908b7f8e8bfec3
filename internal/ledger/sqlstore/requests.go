package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"sluice.dev/sluice/internal/ledger"
)

const requestColumns = `who, request, digest, begun, ended, answer`

// BeginRequest implements ledger.Requests.
func (s *Store) BeginRequest(ctx context.Context, r ledger.Request) (stored ledger.Request, isNew bool, err error) {
	if err := r.Check(); err != nil {
		return stored, false, failed(err, "cannot take a request")
	}
	err = s.write(ctx, turnOfRequests(r.Who), func(tx handle) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM requests WHERE begun < ?`, formatTime(r.Begun.Add(-ledger.KeptRequests))); err != nil {
			return err
		}
		stored, err = scanRequest(tx.QueryRowContext(ctx, `SELECT `+requestColumns+` FROM requests WHERE who = ? AND request = ?`, r.Who, r.Key))
		if err == nil {
			isNew = false
			return r.CheckSame(stored)
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		stored, isNew = r, true
		_, err = tx.ExecContext(ctx, `INSERT INTO requests (`+requestColumns+`) VALUES (?, ?, ?, ?, ?, ?)`,
			r.Who, r.Key, r.Digest, formatTime(r.Begun), formatTime(r.Ended), r.Answer)
		return err
	})
	return stored, isNew, failed(err, "cannot take a request")
}

// EndRequest implements ledger.Requests.
func (s *Store) EndRequest(ctx context.Context, r ledger.Request) error {
	err := s.write(ctx, turnOfRequests(r.Who), func(tx handle) error {
		if r.Answer == "" {
			_, err := tx.ExecContext(ctx, `DELETE FROM requests WHERE who = ? AND request = ? AND answer = ''`, r.Who, r.Key)
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE requests SET ended = ?, answer = ? WHERE who = ? AND request = ?`,
			formatTime(r.Ended), r.Answer, r.Who, r.Key)
		return err
	})
	return failed(err, "cannot note what has come of a request")
}

func scanRequest(row scanner) (ledger.Request, error) {
	var r ledger.Request
	err := row.Scan(&r.Who, &r.Key, &r.Digest, moment{&r.Begun}, moment{&r.Ended}, &r.Answer)
	return r, err
}
