package cli_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"sluice.dev/sluice/internal/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"sluice": func() {
			f := cli.System()
			f.Version = "v0.0.0-test"
			f.Who = func() string { return "ann@example.com" }
			ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			os.Exit(cli.Execute(ctx, os.Args[1:], f))
		},
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			// Nobody's profile and nobody's server: an address at which nobody listens.
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			e.Setenv("NOBODY", l.Addr().String())
			e.Setenv("TEMPORAL_CONFIG_FILE", filepath.Join(e.WorkDir, "no-profile.toml"))
			return l.Close()
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "lines": lines, "hundred": hundred, "within": within,
		},
	})
}

// exits runs a command and wants an exit code: exits 2 sluice lint.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	if err != nil {
		code = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if code != args[0] {
		ts.Fatalf("%v: exit code %s, want %s\n%s", args[1:], code, args[0], ts.ReadFile("stderr"))
	}
}

// within runs a command that may take so long and no longer: within 8s exits 1 sluice plan.
func within(ts *testscript.TestScript, _ bool, args []string) {
	most, err := time.ParseDuration(args[0])
	ts.Check(err)
	began := time.Now()
	exits(ts, false, args[2:])
	if took := time.Since(began); took > most {
		ts.Fatalf("%v took %s, more than %s", args[1:], took, most)
	}
}

// lines wants a number of lines: lines stderr 101.
func lines(ts *testscript.TestScript, _ bool, args []string) {
	if n := strings.Count(ts.ReadFile(args[0]), "\n"); fmt.Sprint(n) != args[1] {
		ts.Fatalf("%s has %d lines, want %s:\n%s", args[0], n, args[1], ts.ReadFile(args[0]))
	}
}

// hundred writes ten files with ten errors each into a folder.
func hundred(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	for i := range 10 {
		var text strings.Builder
		for j := range 10 {
			fmt.Fprintf(&text, "apiVersion: sluice.dev/v1alpha1\nkind: ClusterGroup\nmetadata: {name: g%d-%d}\nspec: {environment: e2e, colour: red}\n---\n", i, j)
		}
		ts.Check(os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%d.yaml", i)), []byte(text.String()), 0o600))
	}
}
