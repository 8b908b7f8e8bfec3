package sqlstore

import (
	"context"
	"database/sql"
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

// Update brings a database up to date. One that a newer Sluice has written is Invalid. Name is what errors call it.
func (s Schema) Update(ctx context.Context, db *sql.DB, name string) error {
	provider, err := goose.NewProvider(s.Dialect, db, s.Steps, goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fault.Wrap(fault.Internal, err, "cannot open ledger %s", name)
	}
	for attempt := 1; ; attempt++ {
		has, knows, err := provider.GetVersions(ctx)
		if err == nil && has > knows {
			return fault.New(fault.Invalid, "cannot open ledger %s: a newer Sluice has written it (schema %d, this one knows %d)", name, has, knows)
		}
		if err == nil {
			_, err = provider.Up(ctx)
		}
		if err == nil {
			return nil
		}
		if attempt == migrateAttempts || ctx.Err() != nil {
			return fault.Wrap(fault.Internal, err, "cannot bring ledger %s up to date", name)
		}
	}
}
