// Package sqlite keeps a ledger in one file of this machine. It decides nothing about what a ledger is: that is the contract's.
package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the database/sql driver "sqlite"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

//go:embed migrations/*.sql
var migrations embed.FS

// maxConnections bounds the open files and the memory of the ledger: hundreds of activities may read at a time.
const maxConnections = 16

// busyTimeout is how long a write waits for another process's write.
const busyTimeout = 10 * time.Second

// migrateAttempts covers processes that open a new ledger at the same moment: all but one find the table already made.
const migrateAttempts = 5

// Store is a ledger in one file. Several processes may have it open at once; writes wait for each other.
type Store struct {
	db           *sql.DB
	encoder      *zstd.Encoder
	decoder      *zstd.Decoder
	installation string
	turn         chan struct{} // held by the one goroutine that writes: cheaper than waiting for the file's lock
}

var _ ledger.Ledger = (*Store)(nil)

// Open opens the ledger in a file and brings its schema up to date; a missing file is made, readable by its owner only,
// in a folder that is made likewise. A file that a newer Sluice has written is Invalid, and so is one on a file system that other
// machines may share.
func Open(ctx context.Context, path string) (*Store, error) { return openOn(ctx, path, fileSystem) }

func openOn(ctx context.Context, path string, of typeOf) (*Store, error) {
	dsn, err := prepareFile(path, of)
	if err != nil {
		return nil, fault.Wrap(fault.CodeOf(err), err, "cannot open ledger %s", path)
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "cannot open ledger %s", path)
	}
	db.SetMaxOpenConns(maxConnections)
	if err := migrate(ctx, db, path); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s := &Store{db: db, turn: make(chan struct{}, 1)}
	if s.encoder, err = zstd.NewWriter(nil); err != nil {
		return nil, errors.Join(fault.Wrap(fault.Internal, err, "cannot open ledger %s", path), db.Close())
	}
	if s.decoder, err = zstd.NewReader(nil, zstd.WithDecoderMaxMemory(2*ledger.MaxBlob), zstd.WithDecoderConcurrency(0)); err != nil {
		return nil, errors.Join(fault.Wrap(fault.Internal, err, "cannot open ledger %s", path), db.Close())
	}
	if s.installation, err = s.nameInstallation(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close closes the file. Calls that are under way end with an error.
func (s *Store) Close() error {
	s.decoder.Close()
	if err := s.db.Close(); err != nil {
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
	err := s.write(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `
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

func prepareFile(path string, of typeOf) (dsn string, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	if err := onOneMachine(filepath.Dir(path), of); err != nil {
		return "", err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	if err := errors.Join(file.Chmod(0o600), file.Close()); err != nil {
		return "", err
	}
	// The file may be a link to elsewhere.
	if err := onOneMachine(path, of); err != nil {
		return "", err
	}
	query := url.Values{"_txlock": {"immediate"}, "_pragma": {
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
		"journal_mode(WAL)",
		// An intent that is lost in a power cut is a write that nobody knows to be ours.
		"synchronous(FULL)",
		"foreign_keys(1)",
	}}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}).String(), nil
}

func migrate(ctx context.Context, db *sql.DB, path string) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fault.Wrap(fault.Internal, err, "cannot open ledger %s", path)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fault.Wrap(fault.Internal, err, "cannot open ledger %s", path)
	}
	for attempt := 1; ; attempt++ {
		has, knows, err := provider.GetVersions(ctx)
		if err == nil && has > knows {
			return fault.New(fault.Invalid, "cannot open ledger %s: a newer Sluice has written it (schema %d, this one knows %d)", path, has, knows)
		}
		if err == nil {
			_, err = provider.Up(ctx)
		}
		if err == nil {
			return nil
		}
		if attempt == migrateAttempts || ctx.Err() != nil {
			return fault.Wrap(fault.Internal, err, "cannot bring ledger %s up to date", path)
		}
	}
}

func (s *Store) nameInstallation(ctx context.Context) (string, error) {
	random := make([]byte, 8)
	if _, err := rand.Read(random); err != nil {
		return "", fault.Wrap(fault.Internal, err, "cannot name installation")
	}
	var name string
	err := s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO installation (one, name) VALUES (1, ?) ON CONFLICT (one) DO NOTHING`,
			"sluice-"+hex.EncodeToString(random))
		if err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT name FROM installation`).Scan(&name)
	})
	if err != nil {
		return "", failed(err, "cannot name installation")
	}
	return name, nil
}

// write runs f in one transaction that holds the write lock from its start, so that what f reads is still so when it
// writes.
func (s *Store) write(ctx context.Context, f func(*sql.Tx) error) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, ignoreDone(tx.Rollback()))
	}
	return tx.Commit()
}

func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
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

// querier is a *sql.DB or *sql.Tx.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// rows runs a query and scans each of its rows.
func rows[T any](ctx context.Context, db querier, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	result, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = result.Close() }()
	list := []T{}
	for result.Next() {
		item, err := scan(result)
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	return list, result.Err()
}

// scanner is a *sql.Row or *sql.Rows.
type scanner interface{ Scan(...any) error }

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
