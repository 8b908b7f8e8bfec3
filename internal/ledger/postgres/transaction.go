package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"sluice.dev/sluice/internal/ledger/sqlstore"
)

// transaction has a connection for itself until it ends. It sees with each statement what was committed before that: what is read after
// the turn was taken is what the one before has left.
type transaction struct {
	*sql.Conn
	ctx  context.Context
	tx   pgx.Tx
	last []string
}

// begin begins a transaction and waits for its turn, in one message to the server: database/sql would need two.
func begin(ctx context.Context, pool *sql.DB, turn sqlstore.Turn) (sqlstore.Transaction, error) {
	options := pgx.TxOptions{BeginQuery: "BEGIN"}
	if turn != sqlstore.NoTurn {
		options.BeginQuery = fmt.Sprintf("BEGIN; SELECT pg_advisory_xact_lock(%d, %d)", lockClass, keyOf(turn))
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	var tx pgx.Tx
	err = conn.Raw(func(driver any) (err error) {
		tx, err = driver.(*stdlib.Conn).Conn().BeginTx(ctx, options)
		return err
	})
	if err != nil {
		// Where it has begun, and waited in vain, the pool throws the connection away.
		return nil, errors.Join(err, conn.Close())
	}
	return &transaction{Conn: conn, ctx: ctx, tx: tx}, nil
}

// Last keeps it for the message that commits.
func (t *transaction) Last(_ context.Context, statement string) error {
	t.last = append(t.last, statement)
	return nil
}

// Commit ends it well. What is committed is so, whatever becomes of the connection.
func (t *transaction) Commit() error {
	defer func() { _ = t.Close() }()
	if len(t.last) == 0 {
		return t.tx.Commit(t.ctx)
	}
	// Where a statement fails, what follows it is not executed, and the pool throws the connection away.
	_, err := t.tx.Conn().Exec(t.ctx, strings.Join(append(t.last, "COMMIT"), "; "))
	return err
}

// rollbackWithin is how long the server may take to answer that it has taken a transaction back, which it does anyway.
const rollbackWithin = 5 * time.Second

// Rollback takes it back, also where its context has ended.
func (t *transaction) Rollback() error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), rollbackWithin)
	defer cancel()
	err := t.tx.Rollback(ctx)
	if errors.Is(err, pgx.ErrTxClosed) || lost(err) {
		err = nil
	}
	return errors.Join(err, t.Close())
}

// lockClass sets the locks of ledgers apart from those that others take in the same database.
const lockClass = 0x51C3

// keyOf is the lock of a turn. Two turns that share one wait for each other now and then, and that is all.
func keyOf(turn sqlstore.Turn) int32 {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(turn))
	return int32(sum.Sum32())
}
