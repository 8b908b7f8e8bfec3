package workflows_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

// What a workflow asks of Temporal costs at most so many events in its own history, as Temporal's documentation of events has them. Each
// answer may wake the workflow: a task that is scheduled, started and completed. How often an activity beats, and on how many workers it is
// tried, costs nothing: it is started once in the history, when it has ended.
const (
	woken        = 3
	perActivity  = 4 + woken     // scheduled, cancel requested, started, completed
	perLocal     = 1 + woken     // a marker
	perTimer     = 2 + woken     // started, fired or cancelled
	perChild     = 3 + 2*woken   // initiated, started, completed: two wake
	perSignal    = 2 + woken     // initiated, signalled
	perHeard     = 1 + woken     // a signal that came
	perUpsert    = 1             // of search attributes
	perVersion   = 2             // a marker, and the search attribute of it
	perExecution = 2 + woken + 1 // started, its first task, completed; a cancel requested
)

// costs counts the events that workflows' histories have at most.
type costs struct {
	interceptor.WorkerInterceptorBase
	mu  sync.Mutex
	all map[string]int // by workflow ID
}

func (c *costs) add(ctx workflow.Context, events int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all[workflow.GetInfo(ctx).WorkflowExecution.ID] += events
}

// InterceptWorkflow implements interceptor.WorkerInterceptor.
func (c *costs) InterceptWorkflow(ctx workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	c.add(ctx, perExecution)
	return &costsIn{interceptor.WorkflowInboundInterceptorBase{Next: next}, c}
}

type costsIn struct {
	interceptor.WorkflowInboundInterceptorBase
	of *costs
}

// Init implements interceptor.WorkflowInboundInterceptor.
func (c *costsIn) Init(out interceptor.WorkflowOutboundInterceptor) error {
	return c.Next.Init(&costsOut{interceptor.WorkflowOutboundInterceptorBase{Next: out}, c.of})
}

// HandleSignal implements interceptor.WorkflowInboundInterceptor.
func (c *costsIn) HandleSignal(ctx workflow.Context, in *interceptor.HandleSignalInput) error {
	c.of.add(ctx, perHeard)
	return c.Next.HandleSignal(ctx, in)
}

// costsOut implements interceptor.WorkflowOutboundInterceptor.
type costsOut struct {
	interceptor.WorkflowOutboundInterceptorBase
	of *costs
}

func (c *costsOut) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	c.of.add(ctx, perActivity)
	return c.Next.ExecuteActivity(ctx, name, args...)
}

func (c *costsOut) ExecuteLocalActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	c.of.add(ctx, perLocal)
	return c.Next.ExecuteLocalActivity(ctx, name, args...)
}

func (c *costsOut) ExecuteChildWorkflow(ctx workflow.Context, name string, args ...any) workflow.ChildWorkflowFuture {
	c.of.add(ctx, perChild)
	return c.Next.ExecuteChildWorkflow(ctx, name, args...)
}

// NewTimerWithOptions counts those of sleeps and of waits with an end as well: the SDK makes all of them here.
func (c *costsOut) NewTimerWithOptions(ctx workflow.Context, d time.Duration, o workflow.TimerOptions) workflow.Future {
	c.of.add(ctx, perTimer)
	return c.Next.NewTimerWithOptions(ctx, d, o)
}

func (c *costsOut) NewTimer(ctx workflow.Context, d time.Duration) workflow.Future {
	return c.NewTimerWithOptions(ctx, d, workflow.TimerOptions{})
}

func (c *costsOut) SignalExternalWorkflow(ctx workflow.Context, id, run, signal string, arg any) workflow.Future {
	c.of.add(ctx, perSignal)
	return c.Next.SignalExternalWorkflow(ctx, id, run, signal, arg)
}

func (c *costsOut) SignalChildWorkflow(ctx workflow.Context, id, signal string, arg any) workflow.Future {
	c.of.add(ctx, perSignal)
	return c.Next.SignalChildWorkflow(ctx, id, signal, arg)
}

func (c *costsOut) UpsertTypedSearchAttributes(ctx workflow.Context, attributes ...temporal.SearchAttributeUpdate) error {
	c.of.add(ctx, perUpsert)
	return c.Next.UpsertTypedSearchAttributes(ctx, attributes...)
}

func (c *costsOut) GetVersion(ctx workflow.Context, change string, least, most workflow.Version) workflow.Version {
	c.of.add(ctx, perVersion)
	return c.Next.GetVersion(ctx, change, least, most)
}

// soaked plays a run of one cluster that soaks for a time after each of its two batches, as a cluster, as a group and as a stage, with
// five checks in the background: four that are measured, and a rule. It returns how many events each history has at most.
func soaked(t *testing.T, each time.Duration) map[string]int {
	t.Helper()
	w := newWorld(t, "a")
	for name, kinds := range map[string]pipelines.StepKinds{
		"metrics":  {Metrics: &pipelines.Metrics{PromQL: "up", SuccessCondition: "value == 1.0"}},
		"logs":     {Logs: &pipelines.Logs{}},
		"workload": {Workload: &pipelines.Workload{MaxRestarts: new(0)}},
		"http":     {HTTP: &pipelines.HTTP{URL: "http://answers.example"}},
	} {
		w.rules.Checks = append(w.rules.Checks, pipelines.ResolvedCheck{
			Name: name, At: []pipelines.Point{pipelines.During}, Enforcement: pipelines.Enforcing,
			Steps: []pipelines.ResolvedStep{{
				Name: name + "/look", StepKinds: kinds, Repeat: pipelines.Repeat{Interval: new(pipelines.Duration(30 * time.Second))},
			}},
		})
	}
	w.rules.Checks = append(w.rules.Checks, pipelines.ResolvedCheck{
		Name: "restarts", At: []pipelines.Point{pipelines.During}, Enforcement: pipelines.Enforcing,
		Gates: []pipelines.ResolvedGate{{Name: "restarts", CEL: "workload.restarts == 0"}},
	})
	w.rules.Soak.Batch, w.rules.Soak.Cluster = pipelines.Duration(each), pipelines.Duration(each)
	stage := &w.plan.Stages[0]
	stage.SoakGroup, stage.SoakStage, stage.Looks, stage.Watches = each, each, true, true
	w.watches(watching{after: never})
	w.lastLooks(api.Passed)
	c := &costs{all: map[string]int{}}
	w.env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{c}})
	end := w.run(t)
	if took := end.Ended.Sub(end.Started); end.Phase != api.PhaseSucceeded || took < 5*each {
		t.Fatalf("the run ended as %s after %s:\n%s", end.Phase, took, strings.Join(w.asked(), "\n"))
	}
	return c.all
}

// TestFailureMode_R26_ASoakOfSevenDaysIsFewEvents: whatever is looked at meanwhile, and however often. Were it otherwise, one of a week would have more
// than one of an hour. That activities' beats and another worker's tries make no events is for the real server to show:
// TestAKilledWorkerOfChecksGoesOnCounting of internal/e2e.
func TestFailureMode_R26_ASoakOfSevenDaysIsFewEvents(t *testing.T) {
	week, hour := soaked(t, 7*24*time.Hour), soaked(t, time.Hour)
	all := 0
	for id, events := range week {
		if all += events; events != hour[id] {
			t.Errorf("%s has %d events after soaks of a week, and %d after soaks of an hour", id, events, hour[id])
		}
	}
	said := []string{}
	for id, events := range week {
		said = append(said, fmt.Sprintf("%s %d", id, events))
	}
	slices.Sort(said)
	t.Logf("five soaks of a week are at most %d events: %s", all, strings.Join(said, ", "))
	if all >= 2000 || len(week) < 3 {
		t.Errorf("that is not below 2,000, or too few workflows")
	}
}
