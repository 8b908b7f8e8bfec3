package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
)

// freezes has somebody freeze something.
func (b *bench) freezes(scope api.FreezeScope, until time.Time) engine.Frozen {
	b.t.Helper()
	f, err := b.Freeze(b.t.Context(), api.Freeze{Scope: scope, InFlight: api.PauseNow, By: "bob", Reason: "packet loss", Until: until})
	if err != nil {
		b.t.Fatal(err)
	}
	return f
}

func TestAFreezeReachesOpenRuns(t *testing.T) {
	b := newBench(t)
	run := b.started()
	part := b.freezes(api.FreezeScope{Clusters: []string{"c2"}}, time.Time{})
	other := b.freezes(api.FreezeScope{Component: api.Component("other")}, time.Time{})
	want := []engine.FrozenRun{{Run: run.Name, Component: run.Subject, Version: "1.0.0", Clusters: 1, Of: 2}}
	if diff := cmp.Diff(want, part.Runs); diff != "" || part.Untold != "" {
		t.Errorf("who freezes hears (-want +got):\n%s%s", diff, part.Untold)
	}
	if len(other.Runs) != 0 {
		t.Errorf("a freeze of another component holds %+v", other.Runs)
	}
	if _, err := b.Unfreeze(t.Context(), part.Name, "ann", "quiet again"); err != nil {
		t.Fatal(err)
	}
	b.freezes(api.FreezeScope{Component: api.Component("another")}, time.Time{})
	hold := api.Hold{Freeze: "freeze-1", By: "bob (unverified)", Reason: "packet loss", InFlight: api.PauseNow, Clusters: []string{"c2"}}
	told := []api.Holds{{Revision: 1, List: []api.Hold{hold}}, {Revision: 2, List: []api.Hold{hold}}, {Revision: 3}}
	if diff := cmp.Diff(told, b.temporal.holds[run.Name]); diff != "" {
		t.Errorf("the run hears what holds it, and what does no longer, and nothing else (-want +got):\n%s", diff)
	}
	entries, err := b.Audit(t.Context(), part.Name, 0)
	if err != nil || len(entries) != 2 || entries[0].Command != "unfreeze" || entries[0].Who != "ann (unverified)" || entries[1].Scope != "cluster c2" {
		t.Errorf("the audit has %+v, %v", entries, err)
	}
}

func TestAFreezeIsLiftedOnce(t *testing.T) {
	b := newBench(t)
	f := b.freezes(api.FreezeScope{}, time.Time{})
	if _, err := b.Unfreeze(t.Context(), f.Name, "ann", "quiet"); err != nil {
		t.Fatal(err)
	}
	_, err := b.Unfreeze(t.Context(), f.Name, "eve", "me too")
	wants(t, err, fault.Conflict, "freeze-1", "ann (unverified)")
	_, err = b.Unfreeze(t.Context(), "freeze-9", "eve", "me too")
	wants(t, err, fault.NotFound, "freeze-9")
	held, err := b.Freezes(t.Context(), false, 0)
	if err != nil || len(held) != 0 {
		t.Errorf("%v hold, %v", held, err)
	}
	all, err := b.Freezes(t.Context(), true, 0)
	if err != nil || len(all) != 1 || all[0].LiftReason != "quiet" {
		t.Errorf("there were %v, %v", all, err)
	}
}

func TestWhatIsFrozenWholeDoesNotStart(t *testing.T) {
	b := newBench(t)
	p := b.plan()
	b.freezes(api.FreezeScope{Clusters: []string{"c1"}}, time.Time{})
	both := b.freezes(api.FreezeScope{Clusters: []string{"c2"}}, noon.Add(time.Hour))
	_, err := b.Run(t.Context(), engine.RunRequest{Plan: p.Hash, By: "eve"})
	wants(t, err, fault.Refused, "freeze-1 by bob (unverified): packet loss", "sluice unfreeze freeze-1 --reason TEXT")
	entries, _ := b.Audit(t.Context(), p.Hash, 1)
	if len(entries) != 1 || !strings.HasPrefix(entries[0].Outcome, "refused: ") {
		t.Errorf("the audit has %+v", entries)
	}
	b.clock.Step(2 * time.Hour) // the second one is over, whoever lifts it
	run, err := b.Run(t.Context(), engine.RunRequest{Plan: p.Hash, By: "eve"})
	if err != nil {
		t.Fatal(err)
	}
	in := b.temporal.inputs[len(b.temporal.inputs)-1].(api.RolloutInput)
	if len(in.Holds.List) != 1 || in.Holds.Revision == 0 || !cmp.Equal(in.Holds.List[0].Clusters, []string{"c1"}) {
		t.Errorf("what is frozen in part starts with %+v", in.Holds)
	}
	b.temporal.open = map[string]bool{run.Name: true}
	b.freezes(api.FreezeScope{Component: api.Component("other")}, time.Time{}) // has the ended one lifted too
	if got := b.temporal.holds[run.Name]; len(got) != 1 || got[0].Revision <= in.Holds.Revision {
		t.Errorf("it knew what it started with, and was told %+v", got)
	}
	all, _ := b.Freezes(t.Context(), true, 0)
	for _, f := range all {
		if f.Name == both.Name && (f.LiftedBy != api.BySluice || !f.Lifted.Equal(noon.Add(time.Hour))) {
			t.Errorf("what was over is %+v", f)
		}
	}
}

func TestAFreezeNeedsNoTemporal(t *testing.T) {
	b := newBench(t)
	p := b.plan()
	away := engine.New(b.ledger, func(context.Context) (*engine.Server, error) {
		return nil, fault.New(fault.Unreachable, "no Temporal at fake:7233")
	}, engine.Options{Clock: b.clock})
	f, err := away.Freeze(t.Context(), api.Freeze{InFlight: api.PauseNow, By: "bob", Reason: "packet loss"})
	if err != nil || !strings.Contains(f.Untold, "no Temporal") {
		t.Fatalf("%+v, %v", f, err)
	}
	_, err = b.Run(t.Context(), engine.RunRequest{Plan: p.Hash, By: "eve"})
	wants(t, err, fault.Refused, "freeze-1 by bob")
	if errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestARollbackIsNotFrozen(t *testing.T) {
	b := newBench(t)
	run := b.started()
	b.deploy("c1", run.Name, run.Version)
	b.end(run, api.UnitStatus{Cluster: "c1", Path: "prod/c1", Phase: api.PhaseSucceeded, Moved: true})
	f := b.freezes(api.FreezeScope{}, time.Time{})
	answer, err := b.Command(t.Context(), run.Name, api.UpdateRollback, api.Command{Who: "ann", Reason: "it leaks"})
	if err != nil {
		t.Fatalf("a rollback under %s: %v", f.Name, err)
	}
	in := b.temporal.inputs[len(b.temporal.inputs)-1].(api.RolloutInput)
	if in.Back == nil || len(in.Holds.List) != 0 {
		t.Errorf("%s started with %+v", answer.Message, in)
	}
}

func TestFailureMode_R16_WhatWasRolledBackDoesNotStartAgain(t *testing.T) {
	b := newBench(t)
	p := b.plan()
	run := b.started()
	b.temporal.open = nil
	_, err := b.ledger.AddFreeze(t.Context(), api.Freeze{
		Origin: api.FreezeRollback, Run: run.Name, Scope: api.FreezeScope{Component: p.Plan.Subject, Digest: p.Plan.Digest},
		InFlight: api.PauseNow, By: "ann", Reason: "agent-1 was rolled back: it leaks", Since: noon,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Run(t.Context(), engine.RunRequest{Plan: p.Hash, By: "robot"})
	wants(t, err, fault.Refused, "freeze-1 by ann: agent-1 was rolled back: it leaks", "sluice unfreeze freeze-1 --reason TEXT")
	b.write("component.yaml", component("1.0.1"))
	if _, err := b.Run(t.Context(), engine.RunRequest{Plan: b.plan().Hash, By: "robot"}); err != nil {
		t.Errorf("the fix does not start: %v", err)
	}
	if _, err := b.Unfreeze(t.Context(), "freeze-1", "bob", "it was the network"); err != nil {
		t.Fatal(err)
	}
	b.temporal.open = nil
	if _, err := b.Run(t.Context(), engine.RunRequest{Plan: p.Hash, By: "robot"}); err != nil {
		t.Errorf("lifted, it does not start: %v", err)
	}
}

// TestFreezesSayWhoPasses: and so does the audit of a plan, by the first characters of its hash.
func TestFreezesSayWhoPasses(t *testing.T) {
	b := newBench(t)
	run := b.started()
	held := b.freezes(api.FreezeScope{}, time.Time{})
	made, err := b.Bypass(t.Context(), engine.BypassRequest{Of: held.Name, For: run.Plan[:12], By: "eve", Reason: "it is the fix"})
	if err != nil {
		t.Fatal(err)
	}
	all, err := b.Freezes(t.Context(), false, 0)
	if err != nil || len(all) != 1 || len(all[0].Bypasses) != 1 || all[0].Bypasses[0] != made.Bypass {
		t.Errorf("freezes are %+v, %v; %+v passes", all, err, made)
	}
	entries, err := b.Audit(t.Context(), run.Plan[:12], 0)
	if err != nil || len(entries) == 0 || entries[0].Command != "bypass" {
		t.Errorf("the audit of the plan has %+v, %v", entries, err)
	}
}
