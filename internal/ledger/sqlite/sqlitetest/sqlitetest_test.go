package sqlitetest_test

import (
	"path/filepath"
	"testing"

	"sluice.dev/sluice/internal/ledger/sqlite"
	"sluice.dev/sluice/internal/ledger/sqlite/sqlitetest"
)

func TestEachLedgerHasANameOfItsOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	sqlitetest.Put(t, path)
	names := map[string]bool{}
	for range 2 { // the second time it is the one that has been opened
		l, err := sqlite.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		name, err := l.Installation(t.Context())
		if err != nil || name == "" {
			t.Fatalf("its name is %q: %v", name, err)
		}
		names[name] = true
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	other, err := sqlitetest.New(t).Installation(t.Context())
	if names[other] = true; len(names) != 2 || err != nil {
		t.Errorf("two ledgers have the names %v: %v", names, err)
	}
}
