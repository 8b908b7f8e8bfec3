// Package e2e_test plays whole rollouts on real control planes and a real Temporal server, and kills what can be killed.
package e2e_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/localtest"
	"sluice.dev/sluice/internal/status"
	"sluice.dev/sluice/worker"
)

// stack is the local stack of this binary: two clusters of eight nodes.
var stack localtest.Get

func TestMain(m *testing.M) {
	os.Exit(localtest.Main(m, []string{"a", "b"}, 8, func(get localtest.Get) { stack = get }))
}

// site is an installation of Sluice with a ledger and a worker of its own.
type site struct {
	t      *testing.T
	stack  *localtest.Stack
	ledger *ledger.SQLite
	engine *engine.Engine
	path   string
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, stack: stack(t), path: filepath.Join(t.TempDir(), "ledger.db")}
	l, err := ledger.Open(t.Context(), s.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s.ledger = l
	s.engine = engine.New(l, func(ctx context.Context) (*engine.Server, error) {
		c, err := engine.Dial(ctx, engine.DialOptions{Dir: s.stack.Dir})
		if err != nil {
			return nil, err
		}
		return c.Server(), nil
	}, engine.Options{})
	return s
}

// work serves the site until the returned func is called, or the test ends.
func (s *site) work() (stop func()) {
	s.t.Helper()
	c, err := engine.Dial(s.t.Context(), engine.DialOptions{Dir: s.stack.Dir})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() {
		over <- worker.Run(ctx, worker.Options{
			Client: c.Client, Ledger: s.ledger, Kubeconfigs: []string{s.stack.Kubeconfig}, Logger: slog.New(slog.DiscardHandler),
		})
	}()
	done := false
	stop = func() {
		if done {
			return
		}
		done = true
		cancel()
		if err := <-over; err != nil {
			s.t.Errorf("the worker ended: %v", err)
		}
		c.Close()
	}
	s.t.Cleanup(stop)
	return stop
}

// plan makes a plan of the test's component.
func (s *site) plan(version, pipeline string) *engine.Planned {
	s.t.Helper()
	p, err := s.engine.Plan(s.t.Context(), engine.PlanRequest{
		Paths: []string{"testdata"}, Component: "agent", Version: version, Pipeline: pipeline, By: "test",
	})
	if err != nil {
		s.t.Fatalf("cannot plan %s by %s: %v", version, pipeline, err)
	}
	return p
}

// start plans and starts, and returns the run's name.
func (s *site) start(version, pipeline string) string {
	s.t.Helper()
	p := s.plan(version, pipeline)
	if err := p.Refused(); err != nil {
		s.t.Fatalf("the plan of %s is refused: %v", version, err)
	}
	run, err := s.engine.Run(s.t.Context(), engine.RunRequest{Plan: p.Hash, By: "test", Reason: "a test"})
	if err != nil {
		s.t.Fatalf("cannot run %s: %v", version, err)
	}
	return run.Name
}

// until waits until the run is as wanted, and fails the test where it is not in time.
func (s *site) until(run, what string, within time.Duration, met func(status.Run) bool) status.Run {
	s.t.Helper()
	deadline := time.Now().Add(within)
	var last status.Run
	var failed error
	for time.Now().Before(deadline) {
		view, err := s.engine.Status(s.t.Context(), run)
		failed = err
		if err == nil {
			last = view.Run
			if met(last) {
				return last
			}
		}
		select {
		case <-s.t.Context().Done():
			s.t.Fatal(s.t.Context().Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
	s.t.Fatalf("%s was not %s within %s; it is %s, waits for %+v, stages %+v; last error %v", run, what, within, last.Phase, last.Waiting, last.Stages, failed)
	return last
}

// ended waits until the run has ended.
func (s *site) ended(run string, within time.Duration) status.Run {
	s.t.Helper()
	return s.until(run, "ended", within, func(r status.Run) bool { return r.Phase.Final() })
}
