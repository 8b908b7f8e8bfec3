package main

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger/postgres/postgrestest"
)

// TestAServerIsKilledWhileItStartsARun has two servers in processes of their own behind one address. One is killed at several moments of
// a start: who asked asks again under his key, by himself, the other one answers, and there is one run with one workflow.
func TestAServerIsKilledWhileItStartsARun(t *testing.T) {
	in := install(t, postgrestest.Start(t).Database(t))
	stays := in.serve()
	for _, c := range []struct {
		name, reason string
		at           func(asked any) bool
		passes       bool // it has come to Temporal, and nobody hears that
	}{
		{"unnamed", "it has taken the key, and the run has no name", func(asked any) bool {
			r, ok := asked.(*workflowservice.DescribeWorkflowExecutionRequest)
			return ok && r.GetExecution().GetWorkflowId() == in.of("unnamed")+"-1"
		}, false},
		{"unstarted", "the run has a name, and no workflow", startsARun, false},
		{"started", "the workflow has begun, and nobody has heard so", startsARun, true},
	} {
		goes := in.serve()
		hash := in.plan(in.as("ann", stays.at), in.of(c.name))
		var mu sync.Mutex
		killed, started := false, 0
		in.between.set(func(_ context.Context, asked any, pass func() (any, error)) (any, error) {
			mu.Lock()
			defer mu.Unlock()
			now := !killed && c.at(asked)
			if !now || c.passes {
				answer, err := pass()
				if startsARun(asked) && err == nil {
					started++
				}
				if !now {
					return answer, err
				}
			}
			killed = true
			goes.kill()
			return nil, errors.New("nobody hears this any more")
		})
		run, err := in.as("ann", balancer(t, func(process) {}, goes, stays)).Run(t.Context(), engine.RunRequest{Plan: hash})
		in.between.set(nil)
		if err != nil || !killed {
			t.Fatalf("%s: %v; the server was killed: %v", c.reason, err, killed)
		}
		all, err := in.ledger.ListRuns(t.Context(), api.Component(in.of(c.name)), 0)
		if err != nil || len(all) != 1 || all[0].Name != run.Name || started != 1 {
			t.Errorf("%s: runs %v, %v; %d workflows were started; want %s alone, once", c.reason, all, err, started, run.Name)
		}
		in.until(run.Name, stays, api.PhaseWaiting)
	}
}

// startsARun tells whether somebody asks Temporal to start the workflow of a run.
func startsARun(asked any) bool {
	r, ok := asked.(*workflowservice.StartWorkflowExecutionRequest)
	return ok && r.GetWorkflowType().GetName() == api.RolloutName
}

// until waits until a run is in a phase.
func (in *installation) until(run string, at process, phase api.Phase) {
	in.t.Helper()
	var view engine.View
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if view, err = in.as("bob", at.at).Status(in.t.Context(), run); err == nil && view.Phase == phase {
			return
		}
	}
	in.t.Fatalf("%s is %s, not %s: %v", run, view.Phase, phase, err)
}

// TestAWatcherGoesOnAtAnotherServer has the server be killed at which somebody watches a run, while nothing changes, and once more while
// something does.
func TestAWatcherGoesOnAtAnotherServer(t *testing.T) {
	in := install(t, postgrestest.Start(t).Database(t))
	first, second, stays := in.serve(), in.serve(), in.serve()
	bob := in.as("bob", stays.at)
	hash := in.plan(in.as("ann", stays.at), in.of("watched"))
	run, err := in.as("ann", stays.at).Run(t.Context(), engine.RunRequest{Plan: hash})
	if err != nil {
		t.Fatal(err)
	}
	in.until(run.Name, stays, api.PhaseWaiting)
	brought, heard, watched := make(chan process, 10), make(chan engine.View, 100), make(chan error, 1)
	away := 0
	go func() {
		at := in.as("bob", balancer(t, func(to process) { brought <- to }, first, second, stays))
		watched <- at.Watch(t.Context(), run.Name, func(v engine.View, err error) {
			if err != nil {
				away++
				return
			}
			heard <- v
		})
		close(heard)
	}()
	seen := []engine.View{<-heard}
	<-brought
	first.kill()
	if to := <-brought; to.at != second.at {
		t.Fatalf("he is brought to %s, not to the second server", to.at)
	}
	time.Sleep(500 * time.Millisecond) // in which he would hear again what he has heard
	second.kill()
	if _, err := bob.Command(t.Context(), run.Name, api.UpdateApprove, api.Command{Plan: hash, Reason: "read it"}); err != nil {
		t.Fatal(err)
	}
	for v := range heard {
		if reflect.DeepEqual(v, seen[len(seen)-1]) {
			t.Errorf("he hears twice that it is %s", v.Phase)
		}
		seen = append(seen, v)
	}
	if err := <-watched; err != nil || away != 2 {
		t.Errorf("his watch ends: %v; he was told %d times that nobody answers", err, away)
	}
	if from, to := seen[0].Phase, seen[len(seen)-1].Phase; from != api.PhaseWaiting || to != api.PhaseSucceeded {
		t.Errorf("he heard from %s to %s", from, to)
	}
}
