package postgrestest

import (
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Backup backs a database up as it is now, and returns what puts it back as a whole. Whoever is connected then is cut off, and may connect
// again.
func (s *Server) Backup(t testing.TB, database string) (restore func()) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	name, file := strings.TrimPrefix(u.Path, "/"), filepath.Join(t.TempDir(), "backup")
	s.program(t, "pg_dump", "--format=custom", "--file", file, database)
	return func() {
		t.Helper()
		s.Ask(t, s.url("postgres"), fmt.Sprintf("DROP DATABASE %s WITH (FORCE)", name), "CREATE DATABASE "+name)
		s.program(t, "pg_restore", "--exit-on-error", "--single-transaction", "--dbname", database, file)
	}
}

func (s *Server) program(t testing.TB, name string, args ...string) {
	t.Helper()
	if said, err := exec.Command(filepath.Join(s.programs, name), args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", name, err, said)
	}
}
