package workflows_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
	"sluice.dev/sluice/workflows/tell"
)

// many is a world of a stage that is divided into parts.
func many(t *testing.T, n int) *world {
	t.Helper()
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("c%03d", i))
	}
	w := newWorld(t, names...)
	w.env.SetTestTimeout(time.Minute)
	w.plan.Stages[0].Groups[0].MaxConcurrency = 20
	w.rules.Batches = []pipelines.Amount{{Value: 100, Percent: true}}
	return w
}

// counted counts the units of each phase.
func counted(r api.RunStatus) map[api.Phase]int {
	out := map[api.Phase]int{}
	for _, p := range unitPhases(r) {
		out[p]++
	}
	return out
}

func TestABigStageGoesInParts(t *testing.T) {
	t.Run("all the way", func(t *testing.T) {
		w := many(t, 420)
		heard := &signals{}
		w.env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{heard}})
		children := map[string]int{}
		w.env.SetOnChildWorkflowStartedListener(func(info *workflow.Info, _ workflow.Context, _ converter.EncodedValues) {
			children[info.ParentWorkflowExecution.ID]++
		})
		end := w.run(t)
		if n := counted(end); end.Phase != api.PhaseSucceeded || n[api.PhaseSucceeded] != 420 {
			t.Errorf("the run ended %s: %v", end.Phase, n)
		}
		want := map[string]int{"agent-1": 2, "agent-1/production/1": 400, "agent-1/production/2": 20}
		for parent, n := range want {
			if children[parent] != n {
				t.Errorf("%s had %d children, want %d", parent, children[parent], n)
			}
		}
		if n := heard.named("news"); n == 0 || n > 200 {
			t.Errorf("the run was told %d times about 420 units", n)
		}
		if most := w.atOnce(); most != 20 {
			t.Errorf("%d units were open at once, want 20", most)
		}
	})
	t.Run("a failure takes back what has moved", func(t *testing.T) {
		w := many(t, 120)
		w.plan.OnFailure = pipelines.Rollback
		w.facts = func(cluster string, f *rule.Facts) {
			if cluster == "c060" {
				f.Workload.Restarts = 1
			}
		}
		end := w.run(t)
		n := counted(end)
		if end.Phase != api.PhaseRolledBack || n[api.PhaseSucceeded] > 0 || n[api.PhaseRolledBack] < 50 || n[api.PhaseSkipped] == 0 {
			t.Errorf("the run ended %s: %v", end.Phase, n)
		}
	})
	t.Run("a failure that the stage bears ends its unit", func(t *testing.T) {
		w := many(t, 120)
		w.plan.Stages[0].MaxFailures = 1
		w.facts = func(cluster string, f *rule.Facts) {
			if cluster == "c060" {
				f.Workload.Restarts = 1
			}
		}
		end := w.run(t)
		if n := counted(end); end.Phase != api.PhaseFailed || n[api.PhaseSucceeded] != 119 || n[api.PhaseFailed] != 1 {
			t.Errorf("the run ended %s: %v", end.Phase, n)
		}
	})
	t.Run("what stands is in its details, whatever there is besides", func(t *testing.T) {
		w := many(t, 120)
		w.facts = func(cluster string, f *rule.Facts) {
			if cluster == "c110" {
				f.Workload.Restarts = 1
			}
		}
		w.env.RegisterDelayedCallback(func() {
			if said := w.details(t); !strings.Contains(said, "| production | prod/c110 | Held |") || !strings.Contains(said, "| ... |") {
				t.Errorf("the details are:\n%s", said)
			}
		}, time.Hour)
		w.command(2*time.Hour, api.UpdateAbort, api.Command{})
		w.run(t)
	})
	t.Run("it is paused and resumed", func(t *testing.T) {
		w := many(t, 120)
		w.command(12*time.Second, api.UpdatePause, api.Command{})
		w.env.RegisterDelayedCallback(func() {
			now := w.now(t)
			if n := counted(now); now.Phase != api.PhasePaused || n[api.PhasePaused] == 0 || n[api.PhaseMoving] > 0 {
				t.Errorf("it is %s: %v", now.Phase, n)
			}
		}, time.Hour)
		w.command(2*time.Hour, api.UpdateResume, api.Command{})
		if end := w.run(t); end.Phase != api.PhaseSucceeded {
			t.Errorf("the run ended %s: %v", end.Phase, counted(end))
		}
	})
	t.Run("it is aborted", func(t *testing.T) {
		w := many(t, 120)
		w.command(12*time.Second, api.UpdateAbort, api.Command{Reason: "enough"})
		end := w.run(t)
		if n := counted(end); end.Phase != api.PhaseAborted || n[api.PhaseAborted] == 0 || n[api.PhaseSkipped] == 0 {
			t.Errorf("the run ended %s: %v", end.Phase, n)
		}
	})
	t.Run("it is taken back by a person, and after its soak", func(t *testing.T) {
		w := many(t, 120)
		w.plan.Stages[0].SoakStage, w.plan.Stages[0].Looks = 24*time.Hour, true
		w.command(5*time.Hour, api.UpdateRollback, api.Command{})
		end := w.run(t)
		if n := counted(end); end.Phase != api.PhaseRolledBack || n[api.PhaseRolledBack] != 120 {
			t.Errorf("the run ended %s: %v", end.Phase, n)
		}
	})
	t.Run("its soak looks at every unit, and hears of one that fails", func(t *testing.T) {
		w := many(t, 120)
		w.plan.Stages[0].SoakStage, w.plan.Stages[0].Looks = 24*time.Hour, true
		w.sees("c050", time.Hour, bad(api.Failed), nil)
		w.sees("c051", time.Hour, nil, away)
		w.returns("c051", time.Hour)
		w.command(10*time.Hour, api.UpdateResume, api.Command{})
		end := w.run(t)
		took := end.Ended.Sub(end.Started)
		if end.Phase != api.PhaseSucceeded || took < 24*time.Hour || took > 25*time.Hour {
			t.Errorf("the run ended %s after %s: %v", end.Phase, took, counted(end))
		}
		w.expect(t, []string{"Observe c050 at rest"}, nil)
		w.expect(t, []string{"ledger.Unobserved c051"}, nil)
	})
}

// taken has the first start of a unit's workflow meet another run's.
func (w *world) taken(id string) {
	w.env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&taken{id: id}}})
}

type taken struct {
	interceptor.WorkerInterceptorBase
	id   string
	once sync.Once
}

// InterceptWorkflow implements interceptor.WorkerInterceptor.
func (t *taken) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &takenIn{interceptor.WorkflowInboundInterceptorBase{Next: next}, t}
}

type takenIn struct {
	interceptor.WorkflowInboundInterceptorBase
	of *taken
}

// Init implements interceptor.WorkflowInboundInterceptor.
func (t *takenIn) Init(out interceptor.WorkflowOutboundInterceptor) error {
	return t.Next.Init(&takenOut{interceptor.WorkflowOutboundInterceptorBase{Next: out}, t.of})
}

type takenOut struct {
	interceptor.WorkflowOutboundInterceptorBase
	of *taken
}

// ExecuteChildWorkflow implements interceptor.WorkflowOutboundInterceptor.
func (t *takenOut) ExecuteChildWorkflow(ctx workflow.Context, name string, args ...any) workflow.ChildWorkflowFuture {
	held := false
	if in, ok := args[0].(tell.ClusterInput); ok && api.UnitWorkflowID(in.Path, in.Subject) == t.of.id {
		t.of.once.Do(func() { held = true })
	}
	if !held {
		return t.Next.ExecuteChildWorkflow(ctx, name, args...)
	}
	f, set := workflow.NewFuture(ctx)
	set.SetError(&temporal.ChildWorkflowExecutionAlreadyStartedError{})
	return heldByAnother{f}
}

// heldByAnother is a child that did not start.
type heldByAnother struct{ workflow.Future }

// GetChildWorkflowExecution implements workflow.ChildWorkflowFuture.
func (h heldByAnother) GetChildWorkflowExecution() workflow.Future { return h.Future }

// SignalChildWorkflow implements workflow.ChildWorkflowFuture.
func (h heldByAnother) SignalChildWorkflow(workflow.Context, string, any) workflow.Future {
	return h.Future
}

func TestAUnitThatAnotherRunHoldsIsWaitedFor(t *testing.T) {
	for _, n := range []int{2, 120} {
		t.Run(fmt.Sprintf("%d units", n), func(t *testing.T) {
			w := many(t, n)
			w.taken("prod/c001/agent")
			w.env.OnActivity(step.Closed.Name(), mock.Anything, mock.Anything).After(time.Hour).Return("", nil)
			w.env.RegisterDelayedCallback(func() {
				if u := w.now(t).Stages[0].Units[1]; u.Phase != api.PhaseLocked || u.Waiting == nil || u.Waiting.Kind != "lock" {
					t.Errorf("it is %s, and waits for %+v", u.Phase, u.Waiting)
				}
			}, 50*time.Minute)
			end := w.run(t)
			if took := end.Ended.Sub(end.Started); end.Phase != api.PhaseSucceeded || took < time.Hour {
				t.Errorf("the run ended %s after %s: %v", end.Phase, took, counted(end))
			}
			w.expect(t, []string{"Acquire c001"}, nil)
		})
		t.Run(fmt.Sprintf("%d units, and an abort", n), func(t *testing.T) {
			w := many(t, n)
			w.taken("prod/c001/agent")
			w.env.OnActivity(step.Closed.Name(), mock.Anything, mock.Anything).After(1000*time.Hour).Return("", nil)
			w.command(2*time.Hour, api.UpdateAbort, api.Command{})
			end := w.run(t)
			if took := end.Ended.Sub(end.Started); unitPhases(end)["c001"] != api.PhaseAborted || took > 3*time.Hour {
				t.Errorf("the run ended %s after %s, the unit that was held %s", end.Phase, took, unitPhases(end)["c001"])
			}
			w.expect(t, nil, []string{"Acquire c001"})
		})
	}
}

// atOnce is how many units held their Leases at once.
func (w *world) atOnce() (most int) {
	now := 0
	for _, line := range w.asked() {
		switch {
		case strings.HasPrefix(line, "Acquire"):
			now++
		case strings.HasPrefix(line, "Release"):
			now--
		}
		most = max(most, now)
	}
	return most
}
