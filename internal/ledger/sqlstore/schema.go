package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"sluice.dev/sluice/internal/fault"
)

// Schema is the steps by which a database comes to have the tables of a ledger. The number of the last one is the same in every database,
// and so are the tables after it.
type Schema struct {
	Dialect goose.Dialect
	Steps   fs.FS
}

// migrateAttempts covers processes that open a new ledger at the same moment: all but one find the table already made.
const migrateAttempts = 5

// Update brings a database up to date. One that a newer Sluice has written is Invalid.
func (s Schema) Update(ctx context.Context, db *sql.DB) error {
	for attempt := 1; ; attempt++ {
		done, err := s.Done(ctx, db)
		if err == nil && !done {
			err = s.up(ctx, db)
		}
		if err == nil || fault.CodeOf(err) == fault.Invalid {
			return err
		}
		if attempt == migrateAttempts || ctx.Err() != nil {
			return fmt.Errorf("its schema cannot be brought up to date: %w", err)
		}
	}
}

// Done reports whether a database is up to date. One that a newer Sluice has written is Invalid.
func (s Schema) Done(ctx context.Context, db *sql.DB) (bool, error) {
	provider, err := s.provider(db)
	if err != nil {
		return false, err
	}
	has, knows, err := provider.GetVersions(ctx)
	if err == nil && has > knows {
		return false, fault.New(fault.Invalid, "a newer Sluice has written it (schema %d, this one knows %d)", has, knows)
	}
	return has == knows, err
}

func (s Schema) up(ctx context.Context, db *sql.DB) error {
	provider, err := s.provider(db)
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

func (s Schema) provider(db *sql.DB) (*goose.Provider, error) {
	return goose.NewProvider(s.Dialect, db, s.Steps, goose.WithLogger(goose.NopLogger()))
}
