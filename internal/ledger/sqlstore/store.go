// Package sqlstore keeps a ledger in a database that speaks SQL. It is written in what all of them understand, and decides nothing about
// what a ledger is: that is the contract's. It knows no driver: a package beside it opens a database, brings its schema up to date and says
// what that database does in a way of its own.
package sqlstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"time"

	"github.com/klauspost/compress/zstd"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// Store is a ledger in a database. Several processes may have it open at once.
type Store struct {
	database     Database
	all          handle // outside of transactions
	encoder      *zstd.Encoder
	decoder      *zstd.Decoder
	installation string
}

var _ ledger.Ledger = (*Store)(nil)

// New returns the ledger in a database, which it closes with itself; where it fails, the database is left open.
func New(ctx context.Context, database Database) (*Store, error) {
	s := &Store{database: database}
	s.all = handle{database.Pool, &s.database, attempts, nil}
	var err error
	if s.encoder, err = zstd.NewWriter(nil); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "cannot open ledger")
	}
	if s.decoder, err = zstd.NewReader(nil, zstd.WithDecoderMaxMemory(2*ledger.MaxBlob), zstd.WithDecoderConcurrency(0)); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "cannot open ledger")
	}
	if s.installation, err = s.nameInstallation(ctx); err != nil {
		s.decoder.Close()
		return nil, failed(err, "cannot name installation")
	}
	return s, nil
}

// Close closes the database. Calls that are under way end with an error.
func (s *Store) Close() error {
	s.decoder.Close()
	if err := s.database.Pool.Close(); err != nil {
		return fault.Wrap(fault.Internal, err, "cannot close ledger")
	}
	return nil
}

// Installation implements ledger.Ledger.
func (s *Store) Installation(context.Context) (string, error) { return s.installation, nil }

// NextFence implements ledger.Fences.
func (s *Store) NextFence(ctx context.Context, cluster string, subject api.Subject, floor int64) (int64, error) {
	if err := ledger.CheckFloor(floor); err != nil {
		return 0, failed(err, "cannot fence %s in %s", subject, cluster)
	}
	var fence int64
	err := s.once(ctx, func(h handle) error { // a number that nobody heard of is left out
		return h.QueryRowContext(ctx, `
			INSERT INTO fences (cluster, component, fence) VALUES (?, ?, ?)
			ON CONFLICT (cluster, component) DO UPDATE SET fence =
				CASE WHEN excluded.fence > fences.fence THEN excluded.fence ELSE fences.fence + 1 END
			RETURNING fence`, cluster, subject.String(), floor+1).Scan(&fence)
	})
	if err != nil {
		return 0, failed(err, "cannot fence %s in %s", subject, cluster)
	}
	return fence, nil
}

// nameInstallation writes only where there is no name yet: a database that is read-only can be opened.
func (s *Store) nameInstallation(ctx context.Context) (string, error) {
	const query = `SELECT name FROM installation`
	var name string
	err := s.all.QueryRowContext(ctx, query).Scan(&name)
	if !errors.Is(err, sql.ErrNoRows) {
		return name, err
	}
	random := make([]byte, 8)
	if _, err := rand.Read(random); err != nil {
		return "", err
	}
	err = s.put(ctx, `INSERT INTO installation (one, name) VALUES (1, ?) ON CONFLICT (one) DO NOTHING`, "sluice-"+hex.EncodeToString(random))
	if err != nil {
		return "", err
	}
	return name, s.all.QueryRowContext(ctx, query).Scan(&name)
}

// attempts is how often a call is tried that a database has taken back, or that a lost connection has ended.
const attempts = 5

// unsure is what is said where the answer to a write was lost.
const unsure = "nobody knows whether it was written"

// write runs f in one transaction, in a turn: what f reads of that is still so when it writes. Where the database has taken back what
// f did, f runs again.
func (s *Store) write(ctx context.Context, turn Turn, f func(handle) error) error {
	done, err := s.database.Wait(ctx)
	if err != nil {
		return err
	}
	defer done()
	for attempt := 1; ; attempt++ {
		again, err := s.tryWrite(ctx, turn, f)
		if err == nil || !again || attempt == attempts || !inTime(ctx, err) {
			return err
		}
	}
}

// tryWrite is one attempt of a write, and tells whether there may be another.
func (s *Store) tryWrite(ctx context.Context, turn Turn, f func(handle) error) (again bool, err error) {
	ctx, cancel := s.database.bounded(ctx)
	defer cancel()
	tx, err := s.database.Begin(ctx, turn)
	if err != nil {
		return s.database.Lost(err) || s.database.Undone(err), s.all.explain(err)
	}
	if err := f(handle{tx, &s.database, 1, tx}); err != nil {
		// A connection that is lost has taken the transaction with it.
		return s.database.Lost(err) || s.database.Undone(err), errors.Join(err, ignoreDone(tx.Rollback()))
	}
	err = tx.Commit()
	if err != nil && s.database.Lost(err) {
		return false, fault.Wrap(fault.Internal, s.all.explain(err), unsure)
	}
	return s.database.Undone(err), s.all.explain(err)
}

// put is a write of one statement, which may be executed twice.
func (s *Store) put(ctx context.Context, query string, args ...any) error {
	return s.once(ctx, func(h handle) error {
		_, err := h.ExecContext(ctx, query, args...)
		return err
	})
}

// alone runs f, which executes one statement that must not be executed twice.
func (s *Store) alone(ctx context.Context, f func(handle) error) error {
	if !s.database.Whole {
		return s.write(ctx, NoTurn, f)
	}
	err := f(handle{s.database.Pool, &s.database, 1, nil})
	if err != nil && s.database.Lost(err) {
		return fault.Wrap(fault.Internal, err, unsure)
	}
	return err
}

// once runs f, which executes one statement that may be executed twice.
func (s *Store) once(ctx context.Context, f func(handle) error) error {
	if !s.database.Whole {
		return s.write(ctx, NoTurn, f)
	}
	for attempt := 1; ; attempt++ {
		err := f(handle{s.database.Pool, &s.database, 1, nil})
		if err == nil || attempt == attempts || !inTime(ctx, err) || !s.database.Lost(err) && !s.database.Undone(err) {
			return err
		}
	}
}

// inTime reports whether there is time for another attempt: one that has taken as long as it may is the last.
func inTime(ctx context.Context, err error) bool {
	return ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded)
}

func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) || errors.Is(err, driver.ErrBadConn) {
		return nil
	}
	return err
}

// failed keeps the code of an error that has one, and makes every other Internal.
func failed(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fault.Wrap(fault.CodeOf(err), err, format, args...)
}

// timeLayout has a fixed width, so that the order of texts is the order of times.
const timeLayout = "2006-01-02T15:04:05.000000000Z"

func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timeLayout)
}

func asInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
