// Package sqlite keeps a ledger in one file of this machine. It decides nothing about what a ledger is: that is the contract's.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the database/sql driver "sqlite"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger/sqlstore"
)

//go:embed migrations/*.sql
var migrations embed.FS

// maxConnections bounds the open files and the memory of the ledger: hundreds of activities may read at a time.
const maxConnections = 16

// busyTimeout is how long a write waits for another process's write.
const busyTimeout = 10 * time.Second

// Open opens the ledger in a file and brings its schema up to date; a missing file is made, readable by its owner only,
// in a folder that is made likewise. A file that a newer Sluice has written is Invalid, and so is one on a file system that other
// machines may share. Several processes may have it open at once; writes wait for each other.
func Open(ctx context.Context, path string) (*sqlstore.Store, error) {
	return openOn(ctx, path, fileSystem)
}

func openOn(ctx context.Context, path string, of typeOf) (*sqlstore.Store, error) {
	db, err := openFile(ctx, path, of)
	if err != nil {
		return nil, err
	}
	s, err := sqlstore.New(ctx, database(db))
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// openFile opens the file, with a schema that is up to date.
func openFile(ctx context.Context, path string, of typeOf) (*sql.DB, error) {
	dsn, err := prepareFile(path, of)
	if err != nil {
		return nil, fault.Wrap(fault.CodeOf(err), err, "cannot open ledger %s", path)
	}
	steps, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "cannot open ledger %s", path)
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "cannot open ledger %s", path)
	}
	db.SetMaxOpenConns(maxConnections)
	if err := (sqlstore.Schema{Dialect: goose.DialectSQLite3, Steps: steps}).Update(ctx, db); err != nil {
		return nil, errors.Join(fault.Wrap(fault.CodeOf(err), err, "cannot open ledger %s", path), db.Close())
	}
	return db, nil
}

// database is what is SQLite's own. Every write holds the lock of the file from its start, so that it needs no turn besides.
func database(db *sql.DB) sqlstore.Database {
	writing := make(chan struct{}, 1) // held by the one goroutine that writes: cheaper than waiting for the file's lock
	return sqlstore.Database{
		Pool:  db,
		Query: func(query string) string { return query },
		Size:  `SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()`,
		Wait: func(ctx context.Context) (func(), error) {
			select {
			case writing <- struct{}{}:
				return func() { <-writing }, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		},
		Begin: func(ctx context.Context, _ sqlstore.Turn) (sqlstore.Transaction, error) {
			tx, err := db.BeginTx(ctx, nil)
			return transaction{tx}, err
		},
		Explain: func(err error) error { return err },
		Undone:  func(error) bool { return false },
		Lost:    func(error) bool { return false },
	}
}

type transaction struct{ *sql.Tx }

// Last executes it now.
func (t transaction) Last(ctx context.Context, statement string) error {
	_, err := t.ExecContext(ctx, statement)
	return err
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
