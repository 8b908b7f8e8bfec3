package postgres_test

import (
	"database/sql"
	"os"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the database/sql driver "pgx"

	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/ledgertest"
	"sluice.dev/sluice/internal/ledger/postgres/postgrestest"
	"sluice.dev/sluice/internal/ledger/sqlstore/sqlstoretest"
)

var server postgrestest.Get

func TestMain(m *testing.M) {
	os.Exit(postgrestest.Main(m, func(get postgrestest.Get) { server = get }))
}

// must is for what is no part of what a test is about.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// raw is another way into the database of a ledger.
func raw(t testing.TB, database string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestAStoreKeepsTheContract(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T) ledger.Ledger { return server(t).New(t) })
}

func TestADatabaseDoesWhatTheStoreNeeds(t *testing.T) {
	sqlstoretest.Run(t, func(t *testing.T) (ledger.Ledger, *sql.DB) {
		database := server(t).Database(t)
		return postgrestest.Open(t, database), raw(t, database)
	})
}
