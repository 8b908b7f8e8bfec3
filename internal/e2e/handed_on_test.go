package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
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
	"sluice.dev/sluice/internal/probe"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/workflows/ask"
)

// TestWhatWasCountedIsHandedOn ends background checks, as a unit does that takes hold of another workload, and has others go on with what
// they had counted, on the real Temporal server.
func TestWhatWasCountedIsHandedOn(t *testing.T) {
	turns.Take(t)
	asked := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	defer asked.Close()
	c, err := engine.Dial(t.Context(), engine.DialOptions{Dir: stack(t).Dir})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const queue = "handed-on"
	machines := worker.New(c.Client, queue, worker.Options{})
	machines.RegisterWorkflowWithOptions(watchTwice, workflow.RegisterOptions{Name: "watch-twice"})
	measuring := worker.New(c.Client, api.ChecksQueue(queue), worker.Options{MaxHeartbeatThrottleInterval: time.Second})
	sources := check.NewProbes(probe.New(clock.RealClock{}, nil), clock.RealClock{}, "")
	(&checks.Activities{Measurer: check.NewMeasurer(clock.RealClock{}, check.NewRules(), sources), Clock: clock.RealClock{}}).Register(measuring)
	for _, w := range []worker.Worker{machines, measuring} {
		if err := w.Start(); err != nil {
			t.Fatal(err)
		}
		defer w.Stop()
	}
	req := loadOf(1, asked.URL)
	for i := range req.Checks {
		s := &req.Checks[i].Steps[0]
		s.Interval, s.Count = new(pipelines.Duration(200*time.Millisecond)), 1000
	}
	req.Checks[0].Steps[0].Count = 2 // it is decided before the first ones end, and is no part of what is handed on
	run, err := c.Client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: fmt.Sprintf("%s-%d", queue, time.Now().UnixNano()), TaskQueue: queue}, "watch-twice", req)
	if err != nil {
		t.Fatal(err)
	}
	var said []json.RawMessage
	if err := run.Get(t.Context(), &said); err != nil {
		t.Fatal(err)
	}
	var all [2]check.Tallies
	for i := range said {
		if err := json.Unmarshal(said[i], &all[i]); err != nil {
			t.Fatalf("%s: %v", said[i], err)
		}
	}
	for i := 2; i <= loadChecksEach; i++ {
		name := fmt.Sprintf("check-%d/ask", i)
		first, then := all[0][name], all[1][name]
		if first.Measured == 0 || then.Measured <= first.Measured || !then.Began.Equal(first.Began) {
			t.Errorf("%s: %d had been measured, and then %d; it began at %s and %s", name, first.Measured, then.Measured, first.Began, then.Began)
		}
	}
	if decided, ok := all[0]["check-1/ask"]; ok {
		t.Errorf("what is decided is handed on: %+v", decided)
	}
}

// watchTwice ends background checks after a moment, hands on what they counted, and ends those too.
func watchTwice(ctx workflow.Context, req step.ChecksRequest) (said []json.RawMessage, err error) {
	for range 2 {
		within, end := workflow.WithCancel(ctx)
		watched := ask.For(step.Watch, "background checks", req).Start(within)
		if err := workflow.Sleep(ctx, 2*time.Second); err != nil {
			return nil, err
		}
		end()
		_, err := watched.Get(ctx)
		req.Before = ask.SaidLast(err)
		said = append(said, req.Before)
	}
	return said, nil
}
