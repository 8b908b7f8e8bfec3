package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/activities/checks"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/probe"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
	"sluice.dev/sluice/workflows/ask"
)

// BenchmarkCheckLoadLimits measures how late background checks are: those of 20 components in 5 clusters with 5 checks each, every one
// due every 30 s at the same moment, on the real Temporal server and by the workers of checks as they are; and twice and four times as
// many. Each check asks a server by HTTP. The limit is 3 s at the 95th percentile. MiB is the memory of the process, which is the
// worker, the server that is asked and the client that starts it all.
func BenchmarkCheckLoadLimits(b *testing.B) {
	for _, times := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("x%d", times), func(b *testing.B) {
			for b.Loop() {
				loadChecks(b, 20*5*times)
			}
		})
	}
}

// What every check of the load does.
const (
	loadChecksEach = 5
	loadRounds     = 3
	loadInterval   = 30 * time.Second
	loadLimit      = 3 * time.Second
)

func loadChecks(b *testing.B, units int) {
	b.Helper()
	asked := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	defer asked.Close()
	c, err := engine.Dial(b.Context(), engine.DialOptions{Dir: stack(b).Dir})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	book := &lateness{}
	queue := "load-" + strconv.Itoa(units)
	machines := worker.New(c.Client, queue, worker.Options{})
	machines.RegisterWorkflowWithOptions(watchUnit, workflow.RegisterOptions{Name: "watch-unit"})
	measuring := worker.New(c.Client, api.ChecksQueue(queue), worker.Options{
		MaxConcurrentActivityExecutionSize: 5_000, MaxHeartbeatThrottleInterval: 5 * time.Second,
	})
	sources := check.NewProbes(probe.New(clock.RealClock{}, nil), clock.RealClock{}, "")
	sources["http"] = book.noting(sources["http"])
	(&checks.Activities{
		Measurer: check.NewMeasurer(clock.RealClock{}, check.NewRules(), sources), Clock: clock.RealClock{},
	}).Register(measuring)
	for _, w := range []worker.Worker{machines, measuring} {
		if err := w.Start(); err != nil {
			b.Fatal(err)
		}
		defer w.Stop()
	}
	var runs []client.WorkflowRun
	for i := range units {
		run, err := c.Client.ExecuteWorkflow(b.Context(), client.StartWorkflowOptions{
			ID: fmt.Sprintf("%s-%d-%d", queue, i, time.Now().UnixNano()), TaskQueue: queue,
		}, "watch-unit", loadOf(i, asked.URL))
		if err != nil {
			b.Fatal(err)
		}
		runs = append(runs, run)
	}
	most := uint64(0)
	for _, run := range runs {
		var found []api.Check
		if err := run.Get(b.Context(), &found); err != nil {
			b.Fatal(err)
		}
		if bad, held := plan.FirstBad(found); held || len(found) != loadChecksEach {
			b.Fatalf("the checks ended %s: %s", bad.Verdict, bad.Message)
		}
		most = max(most, memory())
	}
	late := book.sorted()
	if want := units * loadChecksEach * loadRounds; len(late) != want {
		b.Fatalf("%d measurements were made, not %d", len(late), want)
	}
	p95 := late[(len(late)*95+99)/100-1]
	b.ReportMetric(float64(late[len(late)/2].Milliseconds()), "p50-late-ms")
	b.ReportMetric(float64(p95.Milliseconds()), "p95-late-ms")
	b.ReportMetric(float64(late[len(late)-1].Milliseconds()), "max-late-ms")
	b.ReportMetric(float64(p95)/float64(loadLimit), "p95/limit")
	b.ReportMetric(float64(most)/(1<<20), "MiB")
}

// watchUnit is what a unit has done about its background checks, and nothing else of a unit.
func watchUnit(ctx workflow.Context, req step.ChecksRequest) ([]api.Check, error) {
	return ask.For(step.Watch, "background checks", req).Get(ctx)
}

func loadOf(unit int, url string) step.ChecksRequest {
	req := step.ChecksRequest{
		Ref: step.Ref{Run: "load"}, Point: pipelines.During, Facts: rule.Facts{Unit: rule.Unit{Path: fmt.Sprintf("vpc/unit-%d", unit)}},
	}
	for i := range loadChecksEach {
		name := fmt.Sprintf("check-%d", i+1)
		req.Checks = append(req.Checks, pipelines.ResolvedCheck{
			Name: name, At: []pipelines.Point{pipelines.During}, Enforcement: pipelines.Enforcing,
			Steps: []pipelines.ResolvedStep{{
				Name:      name + "/ask",
				StepKinds: pipelines.StepKinds{HTTP: &pipelines.HTTP{URL: url, Expect: &pipelines.HTTPExpect{Match: "ok"}}},
				Repeat:    pipelines.Repeat{Interval: new(pipelines.Duration(loadInterval)), Count: loadRounds},
			}},
		})
	}
	return req
}

// lateness is by how much measurements were made after they were due.
type lateness struct {
	mu  sync.Mutex
	all []time.Duration
}

// noting notes when a source is asked. The last part of a question's key is which measurement it is.
func (l *lateness) noting(s check.Source) check.Source {
	return check.SourceFunc(func(ctx context.Context, q check.Question) check.Finding {
		round, err := strconv.Atoi(q.Key[strings.LastIndex(q.Key, "/")+1:])
		if err != nil {
			return check.Finding{Verdict: api.Error, Message: "the key " + q.Key + " has no number"}
		}
		l.mu.Lock()
		l.all = append(l.all, time.Since(q.Began.Add(time.Duration(round)*loadInterval)))
		l.mu.Unlock()
		return s.Ask(ctx, q)
	})
}

func (l *lateness) sorted() []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(slices.Values(l.all))
}

// memory is what the process has of the machine, in bytes.
func memory() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys - m.HeapReleased
}
