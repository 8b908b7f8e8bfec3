package workflows_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/traces"
	"sluice.dev/sluice/internal/traces/collectortest"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
	"sluice.dev/sluice/workflows"
)

// traced opens traces that go to a collector, and returns what workers are given of them.
func traced(t *testing.T) (sent *traces.Traces, of []interceptor.WorkerInterceptor) {
	t.Helper()
	sent, err := traces.Open(t.Context(), traces.Options{
		Service: "test", Getenv: os.Getenv, Clock: clock.RealClock{}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sent.Close)
	for _, i := range sent.Interceptors() {
		of = append(of, i.(interceptor.WorkerInterceptor))
	}
	if len(of) == 0 {
		t.Fatal("nothing leaves traces")
	}
	return sent, of
}

// TestTracesChangeNothingThatIsAsked replays what was begun without traces on a worker that leaves them. What is replayed was said when it
// happened: nothing is sent a second time.
func TestTracesChangeNothingThatIsAsked(t *testing.T) {
	collector := collectortest.Start(t)
	sent, of := traced(t)
	for _, file := range historyFiles(t, "*") {
		h := read(t, file)
		replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{Interceptors: of})
		if err != nil {
			t.Fatal(err)
		}
		workflows.Register(replayer)
		start := h.Events[0].GetWorkflowExecutionStartedEventAttributes()
		err = replayer.ReplayWorkflowHistoryWithOptions(nil, h, worker.ReplayWorkflowHistoryOptions{
			OriginalExecution: workflow.Execution{ID: start.GetWorkflowId(), RunID: start.GetOriginalExecutionRunId()},
		})
		if err != nil {
			t.Errorf("%s: %v", nameOf(file), err)
		}
	}
	sent.Close()
	for _, s := range collector.Spans() {
		t.Errorf("replaying has sent %s %v", s.Name, s.With)
	}
}

// plain is a span as a tree shows it: its name, and what it is about where that differs.
func plain(s collectortest.Span) string {
	line := s.Name
	for _, key := range []string{"sluice.stage", "sluice.cluster", "sluice.phase", "sluice.unmet"} {
		if value := s.With[key]; value != "" {
			line += " " + value
		}
	}
	if s.Failed {
		line += " failed: " + s.Description
	}
	return line
}

// TestARunIsOneTrace has a run leave its spans, of which one cluster breaks.
func TestARunIsOneTrace(t *testing.T) {
	const secret = "hunter2"
	collector := collectortest.Start(t)
	sent, of := traced(t)
	w := newWorld(t, "a", "b")
	w.plan.Stages[0].MaxFailures = 1
	w.plan.Params = []pipelines.ParamValue{{Name: "password", Value: secret}}
	w.once(step.Prepare.Name(), "b", fault.New(fault.Unreachable, "cannot arm with password %s", secret))
	w.facts = func(cluster string, f *rule.Facts) {
		if cluster == "a" {
			f.Workload.Restarts = 1
		}
	}
	w.env.SetWorkerOptions(worker.Options{Interceptors: of})
	if end := w.play(t, api.RolloutInput{Run: "agent-1", Plan: "0123456789abcdef", By: "ops", Reason: secret}); end.Phase != api.PhaseFailed {
		t.Fatalf("the run ended %s", end.Phase)
	}
	sent.Close()
	spans := collector.Spans()
	traces := map[string]bool{}
	for _, s := range spans {
		traces[s.Trace] = true
		if s.With["sluice.run"] != "agent-1" || s.Service != "test" {
			t.Errorf("%s is of run %q, and of %q", s.Name, s.With["sluice.run"], s.Service)
		}
		if s.With["temporalWorkflowID"] == "" {
			t.Errorf("nobody finds %s in Temporal", s.Name)
		}
	}
	if len(traces) != 1 {
		t.Errorf("it is %d traces", len(traces))
	}
	if bytes.Contains(collector.Raw(), []byte(secret)) {
		t.Error("what was handed over was sent")
	}
	// What a cluster that fails asks for at once comes in any order.
	spans = slices.DeleteFunc(spans, func(s collectortest.Span) bool {
		return slices.Contains([]string{"cluster.Disarm", "cluster.SeeNodes", "ledger.NoteFailure", "ledger.Trouble"}, s.Name)
	})
	want := `run production Failed failed: Failed
  ledger.LoadRun
  unit production a Failed failed: Failed
    ledger.LoadUnit a
    ledger.Enter a
    cluster.Acquire a
    cluster.Diff a
    cluster.Apply a
    cluster.Prepare a
    cluster.Advance a
    cluster.Look a
    gate.Evaluate a
    cluster.Release a
    ledger.SaveUnit a
  unit production b Succeeded
    ledger.LoadUnit b
    ledger.Enter b
    cluster.Acquire b
    cluster.Diff b
    cluster.Apply b
    cluster.Prepare b failed: unreachable
    ledger.Unobserved b
    cluster.Reachable b
    cluster.Prepare b
    cluster.Advance b
    cluster.Look b
    gate.Evaluate b
    cluster.Advance b
    cluster.Look b
    gate.Evaluate b
    cluster.Finish b
    cluster.Release b
    ledger.SaveUnit b
  ledger.SaveRun
`
	if diff := cmp.Diff(want, collectortest.Tree(spans, plain)); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
}

// TestARunThatContinuesAsNewIsOneSpan goes on with a run in another worker, under the request that began it.
func TestARunThatContinuesAsNewIsOneSpan(t *testing.T) {
	const trace, request = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	collector := collectortest.Start(t)
	sent, of := traced(t)
	header := headerOf(t, map[string]string{"traceparent": "00-" + trace + "-" + request + "-01"})

	before := twoStages(t)
	before.env.SetWorkerOptions(worker.Options{Interceptors: of})
	before.env.SetHeader(header)
	before.env.SetCurrentHistoryLength(2001)
	began := before.env.Now()
	before.command(time.Hour, api.UpdateApprove, api.Command{Who: "one", Plan: "0123456789"})
	in := before.begun(t)
	var next *workflow.ContinueAsNewError
	if !errors.As(before.env.GetWorkflowError(), &next) {
		t.Fatal(before.env.GetWorkflowError())
	}

	after := twoStages(t)
	after.env.SetWorkerOptions(worker.Options{Interceptors: of})
	after.env.SetHeader(next.Header)
	after.env.SetStartTime(began.Add(2 * time.Hour))
	after.command(time.Hour, api.UpdateApprove, api.Command{Who: "one", Plan: "0123456789"})
	after.command(2*time.Hour, api.UpdateApprove, api.Command{Who: "two", Plan: "0123456789"})
	after.play(t, in)
	sent.Close()

	var runs, parts []collectortest.Span
	for _, s := range collector.Spans() {
		if s.Trace != trace {
			t.Errorf("%s is in trace %s", s.Name, s.Trace)
		}
		switch s.Name {
		case "run":
			runs = append(runs, s)
		case "unit":
			parts = append(parts, s)
		}
	}
	if len(runs) != 1 || runs[0].Parent != request || runs[0].Began.Sub(began).Abs() > time.Minute || runs[0].Ended.Sub(began) < 4*time.Hour {
		t.Fatalf("it began at %s under %s: %+v", began, request, runs)
	}
	if len(parts) != 4 {
		t.Errorf("it has %d units", len(parts))
	}
	for _, s := range parts {
		if s.Parent != runs[0].ID {
			t.Errorf("unit %s is under %s, and not the run", s.With["sluice.cluster"], s.Parent)
		}
	}
}

func headerOf(t *testing.T, along map[string]string) *commonpb.Header {
	t.Helper()
	p, err := converter.GetDefaultDataConverter().ToPayload(along)
	if err != nil {
		t.Fatal(err)
	}
	return &commonpb.Header{Fields: map[string]*commonpb.Payload{"_tracer-data": p}}
}
