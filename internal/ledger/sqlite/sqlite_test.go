package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/ledgertest"
	"sluice.dev/sluice/internal/ledger/sqlstore"
	"sluice.dev/sluice/internal/ledger/sqlstore/sqlstoretest"
)

func open(t *testing.T, path string) *sqlstore.Store {
	t.Helper()
	l, err := Open(t.Context(), path)
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

// must is for what is no part of what a test is about.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestAStoreKeepsTheContract(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T) ledger.Ledger { return open(t, filepath.Join(t.TempDir(), "ledger.db")) })
}

func TestADatabaseDoesWhatTheStoreNeeds(t *testing.T) {
	sqlstoretest.Run(t, func(t *testing.T) (ledger.Ledger, *sql.DB) {
		path := filepath.Join(t.TempDir(), "ledger.db")
		return open(t, path), raw(t, path)
	})
}

// raw is another way into the database of a ledger.
func raw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestTwoHandlesAreOneLedger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	handles := make([]*sqlstore.Store, 4)
	var wg sync.WaitGroup
	for i := range handles {
		wg.Go(func() {
			l, err := Open(context.Background(), path)
			if err != nil {
				t.Error(err)
				return
			}
			handles[i] = l
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	names := map[string]bool{}
	for _, l := range handles {
		t.Cleanup(func() { _ = l.Close() })
		names[must(l.Installation(t.Context()))] = true
	}
	if len(names) != 1 {
		t.Errorf("handles that open a new ledger at once agree on its installation, got %v", names)
	}
	fences := make(chan int64, 400)
	for _, l := range handles {
		wg.Go(func() {
			for range 25 {
				n, err := l.NextFence(context.Background(), "c", api.Component("agent"), 0)
				if err != nil {
					t.Error(err)
					return
				}
				fences <- n
			}
		})
	}
	wg.Wait()
	close(fences)
	seen := map[int64]bool{}
	for n := range fences {
		if seen[n] {
			t.Errorf("fence %d was given to two handles", n)
		}
		seen[n] = true
	}
	if len(seen) != 100 {
		t.Errorf("got %d fences, want 100", len(seen))
	}
}

const childEnv = "SLUICE_LEDGER_TEST_CHILD"

// TestTwoProcesses starts this test binary twice more: file locks behave differently between processes than in one.
func TestTwoProcesses(t *testing.T) {
	if path := os.Getenv(childEnv); path != "" {
		l := open(t, path)
		for range 30 {
			fmt.Println("fence", must(l.NextFence(t.Context(), "c", api.Component("agent"), 0)))
			fmt.Println("run", must(l.NewRun(t.Context(), ledger.Run{Plan: "p", Subject: api.Component("agent")})).Name)
		}
		return
	}
	path := filepath.Join(t.TempDir(), "ledger.db")
	var wg sync.WaitGroup
	outputs := make([]string, 2)
	for i := range outputs {
		wg.Go(func() {
			child := exec.Command(os.Args[0], "-test.run=^TestTwoProcesses$", "-test.v")
			child.Env = append(os.Environ(), childEnv+"="+path)
			out, err := child.CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			outputs[i] = string(out)
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, line := range strings.Split(strings.Join(outputs, "\n"), "\n") {
		if !strings.HasPrefix(line, "fence ") && !strings.HasPrefix(line, "run ") {
			continue
		}
		if seen[line] {
			t.Errorf("%q was given to both processes", line)
		}
		seen[line] = true
	}
	if len(seen) != 120 {
		t.Errorf("got %d numbers, want 120", len(seen))
	}
}

func TestOpen(t *testing.T) {
	t.Run("the file is for its owner only", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "made", "for", "it?", "ledger 100%#1.db")
		l := open(t, path)
		if _, err := l.PutBlob(t.Context(), []byte("secret")); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]os.FileMode{filepath.Dir(path): 0o700, path: 0o600, path + "-wal": 0o600} {
			info, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Mode().Perm(); got != want {
				t.Errorf("%s: got mode %o, want %o", name, got, want)
			}
		}
	})
	t.Run("what was written is there after a restart, under the same installation", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "ledger.db")
		first, err := Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		digest := must(first.PutBlob(t.Context(), []byte("kept")))
		name := must(first.Installation(t.Context()))
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		second := open(t, path)
		if kept := must(second.Blob(t.Context(), digest)); string(kept) != "kept" {
			t.Errorf("the blob is %q", kept)
		}
		if now := must(second.Installation(t.Context())); now != name {
			t.Errorf("the installation was %s and is %s", name, now)
		}
	})
	t.Run("a newer schema is refused in words", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "ledger.db")
		open(t, path)
		if _, err := raw(t, path).Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`); err != nil {
			t.Fatal(err)
		}
		_, err := Open(t.Context(), path)
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "a newer Sluice has written it (schema 99") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a file that is no ledger is left as it is", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "notes.txt")
		notes := strings.Repeat("not a database\n", 100)
		if err := os.WriteFile(path, []byte(notes), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), path); err == nil {
			t.Error("it was opened")
		}
		if now := must(os.ReadFile(path)); string(now) != notes {
			t.Errorf("the file is %q", now)
		}
	})
}

func BenchmarkSaveDeployment(b *testing.B) {
	l, err := Open(b.Context(), filepath.Join(b.TempDir(), "ledger.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	objects, err := l.PutBlob(b.Context(), []byte("objects"))
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		d := ledger.Deployment{Cluster: fmt.Sprintf("c-%d", i%1000), Subject: api.Component("agent"), Objects: objects, Run: fmt.Sprint(i), Fence: int64(i)}
		if err := l.SaveDeployment(b.Context(), d); err != nil {
			b.Fatal(err)
		}
	}
}

func TestManyReadersShareAFewConnections(t *testing.T) {
	db := must(openFile(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), fileSystem))
	l := must(sqlstore.New(t.Context(), database(db)))
	defer func() { _ = l.Close() }()
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			digest, err := l.PutBlob(t.Context(), fmt.Appendf(nil, "blob %d", i%10))
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := l.Blob(t.Context(), digest); err != nil {
				t.Error(err)
			}
			if n := db.Stats().OpenConnections; n > 16 {
				t.Errorf("%d connections are open", n)
			}
		})
	}
	wg.Wait()
}
