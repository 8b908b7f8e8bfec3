// Package sqlitetest opens a ledger for tests of what uses one, and do not care how it is kept.
package sqlitetest

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/sqlite"
)

// New returns an empty ledger in a file of the test's own. It is closed when the test ends.
func New(t testing.TB) ledger.Ledger {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	Put(t, path)
	l, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// Put makes the file of an empty ledger, which whoever opens it first gives a name. A test that opens its ledger by a path is quicker so:
// the steps of the schema are taken once for all tests of a binary.
func Put(t testing.TB, path string) {
	t.Helper()
	file, err := empty()
	if err == nil {
		err = os.WriteFile(path, file, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// empty is the file of a ledger that nobody has opened yet.
var empty = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "sqlitetest-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "ledger.db")
	l, err := sqlite.Open(context.Background(), path)
	if err != nil {
		return nil, err
	}
	if err := l.Close(); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return nil, err
	}
	_, err = db.Exec(`DELETE FROM installation`)
	if err := errors.Join(err, db.Close()); err != nil { // which leaves all of it in one file
		return nil, err
	}
	return os.ReadFile(path)
})
