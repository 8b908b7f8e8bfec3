// Package sqlitetest opens a ledger for tests of what uses one, and do not care how it is kept.
package sqlitetest

import (
	"path/filepath"
	"testing"

	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/sqlite"
)

// New returns an empty ledger in a file of the test's own. It is closed when the test ends.
func New(t testing.TB) ledger.Ledger {
	t.Helper()
	l, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
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
