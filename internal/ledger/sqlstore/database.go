package sqlstore

import (
	"context"
	"database/sql"
	"time"
)

// Database is an open database with the ledger's schema in it, and what it does in a way of its own. The functions are all required.
type Database struct {
	Pool *sql.DB
	// Query writes a query, with ? for each parameter, as this database takes it.
	Query func(query string) string
	// Size is a query for the bytes that the ledger takes.
	Size string
	// Wait waits until a write may begin, and returns what ends it.
	Wait func(ctx context.Context) (done func(), err error)
	// Begin begins a transaction that has its turn, where it takes one. The turn ends with it.
	Begin func(ctx context.Context, turn Turn) (Transaction, error)
	// Explain gives an error of the database a code, and says of which database where that helps. Other errors stay as they are.
	Explain func(err error) error
	// Undone reports whether a write that failed with an error may be tried again: the database has taken it back, and another attempt may
	// go better.
	Undone func(err error) bool
	// Lost reports whether an error is the end of a connection, so that the database may have done what it was asked or not.
	Lost func(err error) bool
	// Patience is how long a call may take; as long as it takes where it is 0.
	Patience time.Duration
	// Whole is that one statement needs no transaction around it.
	Whole bool
}

// Transaction is a transaction that has begun. It ends with its context too. It is wide as it is all that a write may do.
type Transaction interface {
	executor
	// Last executes a statement without parameters, of which nobody reads the answer: now, or in the message by which it commits.
	Last(ctx context.Context, statement string) error
	Commit() error
	Rollback() error
}

// bounded is a context that ends when the patience does.
func (d *Database) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if d.Patience == 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, d.Patience)
}
