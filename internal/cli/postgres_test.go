package cli_test

import (
	"net/url"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"sluice.dev/sluice/internal/ledger/postgres/postgrestest"
)

func TestScriptsWithALedgerOnAServer(t *testing.T) {
	database := postgrestest.Start(t).Database(t)
	bare, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	bare.User = url.User(bare.User.Username())
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/postgres",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("LEDGER", database)
			e.Setenv("WITHOUT_PASSWORD", bare.String())
			e.Setenv("PASSWORD", postgrestest.Password)
			e.Setenv("NOBODY_THERE", "postgres://sluice:s3cr3t@127.0.0.1:1/sluice")
			e.Setenv("TEMPORAL_CONFIG_FILE", filepath.Join(e.WorkDir, "no-profile.toml"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}
