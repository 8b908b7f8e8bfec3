package workflows_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

// details are what the Temporal UI shows beside the run now.
func (w *world) details(t *testing.T) string {
	t.Helper()
	var said sdkpb.WorkflowMetadata
	v, err := w.env.QueryWorkflow("__temporal_workflow_metadata")
	if err == nil {
		err = v.Get(&said)
	}
	if err != nil {
		t.Fatal(err)
	}
	return said.GetCurrentDetails()
}

func TestTheRunShowsWhereItsUnitsAre(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.rules.Soak.Batch = pipelines.Duration(10 * time.Minute)
	var waits string
	w.env.OnUpsertTypedSearchAttributes(mock.Anything).Return(nil).Run(func(args mock.Arguments) {
		if said, ok := args.Get(0).(temporal.SearchAttributes).GetKeyword(temporal.NewSearchAttributeKeyKeyword("SluiceWaitingFor")); ok {
			waits = said
		}
	})
	shows := func(after time.Duration, phase api.Phase, kind api.WaitKind, line string) {
		w.env.RegisterDelayedCallback(func() {
			u := w.now(t).Stages[0].Units[0]
			if u.Phase != phase || u.Waiting == nil || u.Waiting.Kind != kind {
				t.Errorf("after %s the run shows unit a as %s, which waits for %+v; want %s, %s", after, u.Phase, u.Waiting, phase, kind)
			}
			if said := w.details(t); !strings.Contains(said, line) {
				t.Errorf("after %s the details lack %q:\n%s", after, line, said)
			}
		}, after)
	}
	shows(4*time.Second, api.PhaseMoving, "pods", "| production | prod/a | Moving | pods prod/a/all/1 |")
	shows(5*time.Minute, api.PhaseSoaking, "soak", "| production | prod/a | Soaking | soak afterBatch |")
	w.env.RegisterDelayedCallback(func() {
		if waits != "soak afterBatch" {
			t.Errorf("while its unit soaks, the run's search attribute says that it waits for %q", waits)
		}
	}, 5*time.Minute)
	w.command(6*time.Minute, api.UpdatePause, api.Command{Reason: "look"})
	shows(7*time.Minute, api.PhasePaused, "person", "| production | prod/a | Paused | person resume: look |")
	w.command(8*time.Minute, api.UpdateResume, api.Command{})
	w.command(30*time.Minute, api.UpdateAbort, api.Command{Reason: "enough"})
	if end := w.run(t); end.Phase != api.PhaseAborted {
		t.Errorf("the run ended %s", end.Phase)
	}
	if said := w.details(t); !strings.Contains(said, "Aborted by ops (unverified): enough") {
		t.Errorf("the details do not say who ended the run, and why:\n%s", said)
	}
}

func TestAUnitTellsItsRunLittle(t *testing.T) {
	for _, c := range []struct {
		reason string
		set    func(w *world)
		most   int
	}{
		{"batches that follow each other are one report", func(*world) {}, 1},
		{"soaks that are shorter than the run wants to hear are not all told", func(w *world) {
			w.rules.Soak.Batch = pipelines.Duration(4 * time.Second)
		}, 1 + 10*(4+5)/10},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t, "a")
			w.rules.Batches = nil
			for n := range 9 {
				w.rules.Batches = append(w.rules.Batches, pipelines.Count(n+1))
			}
			w.rules.Batches = append(w.rules.Batches, pipelines.Amount{Value: 100, Percent: true})
			c.set(w)
			heard := &signals{}
			w.env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{heard}})
			if end := w.run(t); end.Phase != api.PhaseSucceeded {
				t.Errorf("the run ended %s", end.Phase)
			}
			if n := heard.named("report"); n == 0 || n > c.most {
				t.Errorf("the run was told %d times, want at most %d", n, c.most)
			}
		})
	}
}

// signals counts what workflows are signalled.
type signals struct {
	interceptor.WorkerInterceptorBase
	mu  sync.Mutex
	all []string
}

func (s *signals) named(name string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, got := range s.all {
		if got == name {
			n++
		}
	}
	return n
}

// InterceptWorkflow implements interceptor.WorkerInterceptor.
func (s *signals) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &hearing{WorkflowInboundInterceptorBase: interceptor.WorkflowInboundInterceptorBase{Next: next}, heard: s}
}

type hearing struct {
	interceptor.WorkflowInboundInterceptorBase
	heard *signals
}

// HandleSignal implements interceptor.WorkflowInboundInterceptor.
func (h *hearing) HandleSignal(ctx workflow.Context, in *interceptor.HandleSignalInput) error {
	h.heard.mu.Lock()
	h.heard.all = append(h.heard.all, in.SignalName)
	h.heard.mu.Unlock()
	return h.Next.HandleSignal(ctx, in)
}

func TestAReportOfAUnitThatHasEndedIsNotHeard(t *testing.T) {
	for _, c := range []struct {
		reason string
		report map[string]any
		heard  bool
	}{
		{"it is of another execution", map[string]any{"execution": "an earlier one", "number": 99}, false},
		{"it is from a worker that does not number its reports", map[string]any{}, true},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t, "a")
			w.rules.Soak.Batch = pipelines.Duration(10 * time.Minute)
			c.report["cluster"], c.report["phase"] = "a", "Unreachable"
			w.env.RegisterDelayedCallback(func() { w.env.SignalWorkflow("report", c.report) }, 5*time.Minute)
			w.env.RegisterDelayedCallback(func() {
				if got := unitPhases(w.now(t))["a"] == api.PhaseUnreachable; got != c.heard {
					t.Errorf("the run shows the unit as %s", unitPhases(w.now(t))["a"])
				}
			}, 5*time.Minute+time.Second)
			w.run(t)
		})
	}
}
