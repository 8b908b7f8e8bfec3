package postgres_test

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/postgres"
	"sluice.dev/sluice/internal/ledger/postgres/postgrestest"
	"sluice.dev/sluice/internal/ledger/sqlite"
)

func TestOpen(t *testing.T) {
	t.Run("a database without a ledger is left as it is, unless one is to be made", func(t *testing.T) {
		database := server(t).Database(t)
		_, err := postgres.Open(t.Context(), database, false)
		refuses(t, err, fault.NotFound, "the database has none")
		var tables int
		err = raw(t, database).QueryRow(`SELECT COUNT(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace`).Scan(&tables)
		if err != nil || tables != 0 {
			t.Errorf("it has %d tables, %v", tables, err)
		}
	})
	t.Run("what was written is there after a restart, under the same installation", func(t *testing.T) {
		database := server(t).Database(t)
		first := must(postgres.Open(t.Context(), database, true))
		digest, name := must(first.PutBlob(t.Context(), []byte("kept"))), must(first.Installation(t.Context()))
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		second := must(postgres.Open(t.Context(), database, false))
		defer func() { _ = second.Close() }()
		if kept, now := must(second.Blob(t.Context(), digest)), must(second.Installation(t.Context())); string(kept) != "kept" || now != name {
			t.Errorf("the blob is %q, and the installation was %s and is %s", kept, name, now)
		}
	})
	t.Run("a newer schema is refused in words", func(t *testing.T) {
		database := server(t).Database(t)
		postgrestest.Open(t, database)
		server(t).Ask(t, database, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)`)
		_, err := postgres.Open(t.Context(), database, true)
		refuses(t, err, fault.Invalid, "a newer Sluice has written it (schema 99")
	})
	t.Run("a database of another program is left as it is", func(t *testing.T) {
		database := server(t).Database(t)
		server(t).Ask(t, database, `CREATE TABLE goose_db_version (id SERIAL, version_id BIGINT, is_applied BOOLEAN, tstamp TIMESTAMP)`,
			`INSERT INTO goose_db_version (version_id, is_applied) VALUES (3, true)`)
		_, err := postgres.Open(t.Context(), database, true)
		refuses(t, err, fault.Invalid, "tables of another program")
	})
	t.Run("a database that keeps no UTF-8 is refused", func(t *testing.T) {
		database := server(t).Database(t, "TEMPLATE template0 ENCODING SQL_ASCII LOCALE_PROVIDER libc LOCALE 'C'")
		_, err := postgres.Open(t.Context(), database, true)
		refuses(t, err, fault.Invalid, "SQL_ASCII", "needs UTF8")
	})
	t.Run("a schema of one's own keeps ledgers in one database apart", func(t *testing.T) {
		database := server(t).Database(t)
		server(t).Ask(t, database, `CREATE SCHEMA one`, `CREATE SCHEMA other`)
		one := postgrestest.Open(t, database+"?search_path=one")
		other := postgrestest.Open(t, database+"?search_path=other")
		if a, b := must(one.Installation(t.Context())), must(other.Installation(t.Context())); a == b {
			t.Errorf("both are %s", a)
		}
	})
}

const childEnv = "SLUICE_LEDGER_TEST_CHILD"

// TestProcessesThatOpenAnEmptyDatabaseAtOnce starts this test binary thrice more.
func TestProcessesThatOpenAnEmptyDatabaseAtOnce(t *testing.T) {
	if database := os.Getenv(childEnv); database != "" {
		l := postgrestest.Open(t, database)
		fmt.Println("installation", must(l.Installation(t.Context())))
		for range 30 {
			fmt.Println("fence", must(l.NextFence(t.Context(), "c", agent, 0)))
			fmt.Println("run", must(l.NewRun(t.Context(), ledger.Run{Plan: "p", Subject: agent})).Name)
		}
		return
	}
	// Whoever runs the server may want transactions to be something else.
	database := server(t).Database(t)
	name := database[strings.LastIndex(database, "/")+1:]
	server(t).Ask(t, database, "ALTER DATABASE "+name+" SET default_transaction_isolation = 'serializable'")
	var wg sync.WaitGroup
	outputs := make([]string, 3)
	for i := range outputs {
		wg.Go(func() {
			child := exec.Command(os.Args[0], "-test.run=^TestProcessesThatOpenAnEmptyDatabaseAtOnce$", "-test.v")
			child.Env = append(os.Environ(), childEnv+"="+database)
			out, err := child.CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			outputs[i] = string(out)
		})
	}
	wg.Wait()
	seen := map[string]int{}
	for _, line := range strings.Split(strings.Join(outputs, "\n"), "\n") {
		if word, _, _ := strings.Cut(line, " "); slices.Contains([]string{"fence", "run", "installation"}, word) {
			seen[line]++
		}
	}
	for line, n := range seen {
		if word, _, _ := strings.Cut(line, " "); word == "installation" && n != 3 || word != "installation" && n != 1 {
			t.Errorf("%d processes were told %q", n, line)
		}
	}
	if len(seen) != 1+180 {
		t.Errorf("they were told %d things, want 181", len(seen))
	}
	var steps, twice int
	err := raw(t, database).QueryRow(`
		SELECT COUNT(DISTINCT version_id), COUNT(*) - COUNT(DISTINCT version_id) FROM goose_db_version WHERE version_id > 0`).Scan(&steps, &twice)
	if err != nil || steps == 0 || twice != 0 {
		t.Errorf("%d steps were taken, %d of them twice, %v", steps, twice, err)
	}
}

// TestBothStoresHaveTheSameTables keeps a step that was written for one store from being forgotten for the other.
func TestBothStoresHaveTheSameTables(t *testing.T) {
	database := server(t).Database(t)
	postgrestest.Open(t, database)
	db := raw(t, database)
	file := filepath.Join(t.TempDir(), "ledger.db")
	if err := must(sqlite.Open(t.Context(), file)).Close(); err != nil {
		t.Fatal(err)
	}
	other := must(sql.Open("sqlite", file))
	defer func() { _ = other.Close() }()
	here := texts(t, db, `SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'`)
	there := texts(t, other, `SELECT m.name || '.' || c.name FROM sqlite_schema AS m, pragma_table_info(m.name) AS c WHERE m.type = 'table'`)
	if diff := cmp.Diff(there, here); diff != "" {
		t.Errorf("columns of SQLite's (-) and PostgreSQL's (+):\n%s", diff)
	}
	here = texts(t, db, `SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND indexname !~ '_(pkey|key)$'`)
	there = texts(t, other, `SELECT name FROM sqlite_schema WHERE type = 'index' AND name NOT LIKE 'sqlite_autoindex%'`)
	if diff := cmp.Diff(there, here); diff != "" {
		t.Errorf("indexes of SQLite's (-) and PostgreSQL's (+):\n%s", diff)
	}
	const last = `SELECT CAST(MAX(version_id) AS TEXT) FROM goose_db_version`
	if a, b := texts(t, other, last), texts(t, db, last); !slices.Equal(a, b) {
		t.Errorf("SQLite's last step is %v, PostgreSQL's %v", a, b)
	}
}

func TestTextsAreInTheOrderOfTheirBytes(t *testing.T) {
	database := server(t).Database(t)
	postgrestest.Open(t, database)
	others := texts(t, raw(t, database), `SELECT c.table_name || '.' || c.column_name FROM information_schema.columns AS c
		WHERE c.table_schema = 'public' AND c.data_type = 'text' AND c.collation_name IS DISTINCT FROM 'C'`)
	if len(others) > 0 {
		t.Errorf("these go by the language of the database: %v", others)
	}
}

func texts(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	result, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = result.Close() }()
	var list []string
	for result.Next() {
		var text string
		if err := result.Scan(&text); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(text, "goose_") && !strings.HasPrefix(text, "sqlite_sequence") {
			list = append(list, text)
		}
	}
	if err := result.Err(); err != nil || len(list) == 0 && strings.Contains(query, "MAX") {
		t.Fatalf("%s: %v, %v", query, list, err)
	}
	slices.Sort(list)
	return list
}
