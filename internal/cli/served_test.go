package cli_test

import (
	"cmp"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"time"

	"sluice.dev/sluice/internal/cli"
	"sluice.dev/sluice/internal/engine"
	answering "sluice.dev/sluice/internal/server"
)

// served has every session ask a server, and not the ledger itself.
var served = os.Getenv("SLUICE_TEST_SERVED") != ""

// serve has a session's commands ask a server on its ledger.
func (s *session) serve(f *cli.Factory) {
	s.t.Helper()
	l := s.server.open()
	e := engine.New(l, f.Temporal, engine.Options{Library: f.Library, Clock: f.Clock, Proven: true, Program: "sluice --ledger " + s.server.ledger})
	guard, token := answering.NewLocal()
	web := httptest.NewServer(answering.Handler(answering.Options{
		Engine: e, Guard: guard, Requests: l, Installation: "test", Version: "test", Clock: f.Clock, Logger: slog.New(slog.DiscardHandler), LookEvery: time.Millisecond,
	}))
	s.t.Cleanup(func() {
		web.Close()
		if err := l.Close(); err != nil {
			s.t.Error(err)
		}
	})
	f.Getenv = func(name string) string {
		return cmp.Or(map[string]string{"SLUICE_SERVER": web.URL, "SLUICE_TOKEN": token}[name], s.env[name])
	}
}

// TestServerAnswersAsTheLedgerDoes has all sessions of these tests ask a server: the same commands print the same.
func TestServerAnswersAsTheLedgerDoes(t *testing.T) {
	if served {
		t.Skip("this is the test that the other one runs")
	}
	// Those that start a server of their own, or know of none.
	const same = "TestScripts|TestCompletion|TestTheAction|TestTheComponent|TestTheProgramIsLoaded|TestAJobOfTheAction|TestAServerKnowsAJob"
	again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=.", "-test.skip="+same, "-test.timeout=5m")
	again.Env = append(os.Environ(), "SLUICE_TEST_SERVED=1")
	if out, err := again.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
