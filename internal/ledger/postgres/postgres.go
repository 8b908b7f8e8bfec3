// Package postgres keeps a ledger in a database of a PostgreSQL server, which workers and command lines of many machines may share. It
// decides nothing about what a ledger is: that is the contract's.
package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger/sqlstore"
)

//go:embed migrations/*.sql
var migrations embed.FS

// The connections of a process: hundreds of activities may ask at a time, and a server has 100 for all processes where nobody says more.
const (
	maxConnections = 16
	idleFor        = 5 * time.Minute
	connectionFor  = 30 * time.Minute // a server that has moved is noticed within
)

// patience is how long one call may take, so that a server that has stopped answers nobody with silence. The largest blobs need some.
const patience = time.Minute

// ErrNone is that a database has no ledger.
var ErrNone = fault.New(fault.NotFound, "the database has none")

// Open opens the ledger in the database that a URL names (IsURL), and brings its schema up to date. Where the database has none it is
// ErrNone, fault.NotFound, unless it is to be made. A ledger that a newer Sluice has written is Invalid. No error has the password in it.
func Open(ctx context.Context, url string, made bool) (*sqlstore.Store, error) {
	config, err := parse(url)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "cannot open ledger %s", Shown(url))
	}
	place := placeOf(config)
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(maxConnections)
	pool.SetMaxIdleConns(maxConnections)
	pool.SetConnMaxIdleTime(idleFor)
	pool.SetConnMaxLifetime(connectionFor)
	s, err := open(ctx, pool, place, made)
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return s, nil
}

func open(ctx context.Context, pool *sql.DB, at place, made bool) (*sqlstore.Store, error) {
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := update(bounded, pool, at, made); err != nil {
		err = at.explainOpening(err)
		return nil, fault.Wrap(fault.CodeOf(err), err, "cannot open ledger %s", at)
	}
	s, err := sqlstore.New(ctx, database(pool, at))
	return s, fault.Wrap(fault.CodeOf(err), err, "cannot open ledger %s", at)
}

// update brings the schema up to date, where it is not: a database that is read-only can be opened.
func update(ctx context.Context, pool *sql.DB, at place, made bool) error {
	var encoding string
	var steps, there bool
	err := pool.QueryRowContext(ctx, `
		SELECT current_setting('server_encoding'), to_regclass('goose_db_version') IS NOT NULL, to_regclass('installation') IS NOT NULL`).
		Scan(&encoding, &steps, &there)
	if err != nil {
		return err
	}
	if steps && !there {
		if err := foreign(ctx, pool); err != nil {
			return err
		}
	}
	if encoding != "UTF8" {
		return fault.New(fault.Invalid, "the database keeps texts as %s, and a ledger needs UTF8", encoding)
	}
	if !there && !made {
		return ErrNone
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	schema := sqlstore.Schema{Dialect: goose.DialectPostgres, Steps: files}
	if there {
		if done, err := schema.Done(ctx, pool); err != nil || done {
			return err
		}
	}
	// One process after the other: the schema of the second is then up to date.
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock($1, $2)`, lockClass, keyOf("schema")); err != nil {
		return err
	}
	err = schema.Update(ctx, pool)
	_, unlocked := conn.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1, $2)`, lockClass, keyOf("schema"))
	return errors.Join(err, unlocked)
}

// foreign is Invalid where the steps that a database has taken are not those of a ledger: others count theirs in a table of that name too.
func foreign(ctx context.Context, pool *sql.DB) error {
	var last int64
	err := pool.QueryRowContext(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version`).Scan(&last)
	if err == nil && last > 0 {
		return fault.New(fault.Invalid, "it has the tables of another program; a ledger needs a database, or a schema (search_path), of its own")
	}
	return err
}

// database is what is PostgreSQL's own.
func database(pool *sql.DB, at place) sqlstore.Database {
	return sqlstore.Database{
		Pool:  pool,
		Query: numbered,
		Size: `SELECT COALESCE(SUM(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
			WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace`,
		Wait: func(context.Context) (func(), error) { return func() {}, nil },
		Begin: func(ctx context.Context, turn sqlstore.Turn) (sqlstore.Transaction, error) {
			return begin(ctx, pool, turn)
		},
		Explain:  at.explain,
		Undone:   undone,
		Lost:     lost,
		Whole:    true,
		Patience: patience,
	}
}

// numbered writes $1, $2 and so on for the question marks of a query. None of our queries has one in a text.
func numbered(query string) string {
	var b strings.Builder
	b.Grow(len(query) + 16)
	for n := 1; ; n++ {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
		query = after
	}
}
