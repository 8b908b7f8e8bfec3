package engine_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
)

// differing is what a cluster looks like in which the plan changes something.
func differing() plan.ClusterDiff {
	return plan.ClusterDiff{Diff: "sha256:d", Objects: []plan.Object{{Object: "ConfigMap/a", Action: "patch"}}}
}

// record writes down that every cluster of a plan has what it brings.
func (b *bench) record(p *engine.Planned, run string) {
	b.t.Helper()
	for _, s := range p.Plan.Stages {
		for _, g := range s.Groups {
			for _, u := range g.Units {
				err := b.ledger.SaveDeployment(b.t.Context(), ledger.Deployment{
					Cluster: u.Cluster, Subject: api.Component("agent"), Version: p.Plan.Version, Run: run, Objects: b.blob(p.Plan.Version), Target: u.Target, Since: noon,
				})
				if err != nil {
					b.t.Fatal(err)
				}
			}
		}
	}
}

// stateOf is what the list says of a plan.
func (b *bench) stateOf(p *engine.Planned) string {
	b.t.Helper()
	all, err := b.Plans(b.t.Context(), "", 10)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, one := range all {
		if one.Hash == p.Hash {
			return one.State
		}
	}
	b.t.Fatalf("plan %s is not listed", p.Hash)
	return ""
}

// A list says "ready" of exactly the plans that run takes.
func TestPlansSayWhatRunWouldTake(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		seen   map[string]plan.ClusterDiff
		after  func(*bench, *engine.Planned)
		state  string
		code   fault.Code // of run
	}{
		"nothing speaks against it": {
			reason: "it can be started", seen: map[string]plan.ClusterDiff{"c1": differing(), "c2": differing()}, state: engine.PlanReady,
		},
		"nothing changes, and nothing is on record": {
			reason: "a run would write the versions down", state: engine.PlanReady,
		},
		"a rule says no": {
			reason: "refused is refused", seen: map[string]plan.ClusterDiff{"c2": {Refusals: []api.Refusal{{Rule: "selector", Message: "cannot change"}}}},
			state: engine.PlanRefused, code: fault.Refused,
		},
		"something else was deployed since": {
			reason: "its way back is not what people read", seen: map[string]plan.ClusterDiff{"c1": differing()},
			after: func(b *bench, _ *engine.Planned) { b.deploy("c2", "agent-9", "0.9.0") },
			state: engine.PlanStale, code: fault.Refused,
		},
		"another run moves its clusters": {
			reason: "one at a time", seen: map[string]plan.ClusterDiff{"c1": differing()},
			after: func(b *bench, _ *engine.Planned) { b.started() },
			state: engine.PlanBusy, code: fault.Refused,
		},
		"it was run": {
			reason: "whoever starts it again has what they want", seen: map[string]plan.ClusterDiff{"c1": differing()},
			after: func(b *bench, p *engine.Planned) { b.record(p, "agent-1") },
			state: engine.PlanDone, code: fault.Internal, // what is no fault has no code of its own
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.clusters = c.seen
			p := b.plan()
			if c.after != nil {
				c.after(b, p)
			}
			if got := b.stateOf(p); got != c.state {
				t.Errorf("it is %q, want %q: %s", got, c.state, c.reason)
			}
			_, err := b.Run(t.Context(), engine.RunRequest{Plan: p.Hash, By: "bob"})
			if fault.CodeOf(err) != c.code {
				t.Errorf("run says %v: %s", err, c.reason)
			}
		})
	}
}

func TestPlanThatNobodyLookedAtIsUnseen(t *testing.T) {
	b := newBench(t)
	b.temporal.hang, b.temporal.workers = true, 0
	planned := b.planning()
	b.clock.Step(10 * time.Millisecond)
	if err := <-planned; err == nil {
		t.Fatal("nobody looked at the clusters, and it is no error")
	}
	all, err := b.Plans(t.Context(), "", 10)
	if err != nil || len(all) != 1 || all[0].State != engine.PlanUnseen {
		t.Errorf("plans are %+v, %v", all, err)
	}
}

func TestPlanThatChangesNothingIsNotStarted(t *testing.T) {
	b := newBench(t)
	b.record(b.plan(), "agent-7")
	p := b.plan()
	if p.Idle() == nil || p.Counts != (plan.Counts{Unchanged: 2}) {
		t.Fatalf("it is not idle, with %+v", p.Counts)
	}
	_, err := b.Run(t.Context(), engine.RunRequest{Plan: p.Hash, By: "ann"})
	var idle *engine.NothingToDo
	if !errors.As(err, &idle) || !strings.Contains(idle.Message, "agent 1.0.0 is on record in each of its 2 clusters") {
		t.Fatalf("run says %v", err)
	}
	if entries, err := b.Audit(t.Context(), p.Hash, 1); err != nil || len(entries) != 1 || !strings.HasPrefix(entries[0].Outcome, "nothing to do") {
		t.Errorf("audit has %+v, %v", entries, err)
	}
	if len(b.temporal.started) != 2 {
		t.Errorf("%d workflows were started, want the two looks", len(b.temporal.started))
	}
	if run, err := b.Run(t.Context(), engine.RunRequest{Plan: p.Hash, By: "ann", Anyway: true}); err != nil || run.Name != "agent-1" {
		t.Errorf("told to, it starts %q: %v", run.Name, err)
	}
}

// What is on record may still differ in a cluster, or be out of sight there: then a run has something to do.
func TestPlanOfWhatIsOnRecordAndDiffers(t *testing.T) {
	for name, seen := range map[string]plan.ClusterDiff{
		"drift":               differing(),
		"a cluster is away":   {Unreachable: "no route"},
		"a workload was left": {Workloads: []plan.Division{{Object: "DaemonSet/a"}}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.record(b.plan(), "agent-7")
			b.clusters = map[string]plan.ClusterDiff{"c2": seen}
			p := b.plan()
			if idle := p.Idle(); idle != nil {
				t.Fatal(idle.Message)
			}
			if _, err := b.Run(t.Context(), engine.RunRequest{Plan: p.Hash, By: "ann"}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPlanWhileAnotherRunMoves(t *testing.T) {
	b := newBench(t)
	b.clusters = map[string]plan.ClusterDiff{"c1": differing()}
	if p := b.plan(); len(p.Busy) > 0 {
		t.Fatalf("nothing runs, and it is busy: %+v", p.Busy)
	}
	run := b.started()
	b.write("component.yaml", component("2.0.0"))
	p := b.plan()
	if len(p.Busy) != 1 || p.Busy[0].Run != run.Name || strings.Join(p.Busy[0].Clusters, " ") != "c1 c2" {
		t.Fatalf("busy are %+v", p.Busy)
	}
	if w := p.Warnings(); len(w) != 1 || !strings.Contains(w[0], "run agent-1 (agent 1.0.0, by ann") || !strings.Contains(w[0], "moves 2 clusters of this plan now: c1, c2") {
		t.Errorf("it warns of %q", w)
	}
	b.temporal.open = nil
	if again, err := b.ShowPlan(t.Context(), p.Hash); err != nil || len(again.Busy) > 0 {
		t.Errorf("the run has gone, and busy are %+v, %v", again.Busy, err)
	}
}
