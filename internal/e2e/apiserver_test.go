package e2e_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/witness"
)

func TestAnAPIServerIsDownForAMinuteDuringItsTurn(t *testing.T) {
	s := newSiteOfOutages(t, "down")
	s.work()
	s.install()
	rec := s.record("a")
	run := s.start("2.0.0", "slow")
	s.soaking(run)
	s.stop("a")
	began := time.Now()
	t.Cleanup(func() { s.revive("a") })
	s.until(run, "waiting for the cluster", time.Minute, func(r api.RunStatus) bool {
		return phaseOf(r, "a") == api.PhaseUnreachable
	})
	seen, err := s.engine.Clusters(t.Context(), s.component)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(seen[0].State, "unreachable") {
		t.Errorf("the list of clusters says %q", seen[0].State)
	}
	time.Sleep(time.Until(began.Add(time.Minute)))
	s.stack.Run(t, "start", "apiserver", "--cluster", s.control("a"))
	if end := s.ended(run, 2*time.Minute); end.Phase != api.PhaseSucceeded {
		t.Fatalf("the run ended %s", end.Phase)
	}
	once(t, rec.Stop(), "2.0.0")
}

func TestAClusterThatIsDownAtItsTurnGoesOnceItIsBack(t *testing.T) {
	s := newSiteOfOutages(t, "late")
	s.work()
	s.install()
	p := s.plan("2.0.0", "slow")
	s.stop("a")
	t.Cleanup(func() { s.revive("a") })
	run, err := s.engine.Run(t.Context(), engine.RunRequest{Plan: p.Hash, By: "test", Reason: "a test"})
	if err != nil {
		t.Fatal(err)
	}
	s.until(run.Name, "waiting for the cluster", time.Minute, func(r api.RunStatus) bool { return phaseOf(r, "a") == api.PhaseUnreachable })
	s.stack.Run(t, "start", "apiserver", "--cluster", s.control("a"))
	s.soaking(run.Name)
	s.tell(run.Name, api.UpdatePause, api.Scope{})
	// Some watches of its controllers may still be waiting for their next attempt.
	s.until(run.Name, "paused and disarmed", 3*time.Minute, func(r api.RunStatus) bool {
		u := unitOf(r, "a")
		return u.Phase == api.PhasePaused && !u.Armed
	})
	s.tell(run.Name, api.UpdateResume, api.Scope{})
	end := s.ended(run.Name, 3*time.Minute)
	if end.Phase != api.PhaseSucceeded || len(end.Moves) != 1 {
		t.Errorf("the run ended %s, its moves are %v", end.Phase, end.Moves)
	}
}

func TestFailureMode_R11_R28_AClusterThatIsDownBeforeItsTurnDoesNotBlockTheOtherAndIsCaughtUp(t *testing.T) {
	s := newSiteOfOutages(t, "offline")
	s.work()
	s.install()
	for name, bears := range map[string]string{"strict": "0", "bearing": "1"} {
		s.declare(name, "  defaults: {batches: [100%], maxUnavailable: 100%, maxUnreachable: "+bears+"}\n  stages: [{name: all, clusterGroups: {all: true}}]\n")
	}
	before := s.snapshot("b")
	s.stop("a")
	comesBack := sync.OnceFunc(func() { s.revive("a") })
	t.Cleanup(comesBack)

	strict := s.start("2.0.0", "strict")
	held := s.until(strict, "held by its budget", time.Minute, func(r api.RunStatus) bool {
		return phaseOf(r, "a") == api.PhaseUnreachable && r.Stages[0].Waiting != nil
	})
	if w := held.Stages[0].Waiting; w.Kind != "budget" || !strings.Contains(strings.Join(w.Unmet, " "), "maxUnreachable") {
		t.Errorf("the stage waits for %+v", w)
	}
	s.tell(strict, api.UpdateAbort, api.Scope{})
	s.ended(strict, time.Minute)
	if moved := witness.Moved(before, s.snapshot("b")); len(moved) > 0 {
		t.Errorf("maxUnreachable is 0, and b moved: %v", moved)
	}

	planned := s.plan("2.0.0", "bearing")
	if text := printed(t, planned); !strings.Contains(text, "out of reach, diffed at its turn a ") {
		t.Errorf("the plan does not list a as out of reach: %s", text)
	}
	run := s.start("2.0.0", "bearing")
	end := s.ended(run, time.Minute)
	if end.Phase != api.PhaseSucceeded || phaseOf(end, "a") != api.PhaseMissed || phaseOf(end, "b") != api.PhaseSucceeded {
		t.Errorf("the run ended %s: %+v", end.Phase, end.Stages)
	}
	if tags := s.snapshot("b").Tags(); tags["2.0.0"] != nodes {
		t.Errorf("cluster b runs %v", tags)
	}
	seen, err := s.engine.Clusters(t.Context(), s.component)
	if err != nil {
		t.Fatal(err)
	}
	if !seen[0].Unreachable || seen[0].Version != "1.0.0" || seen[1].Unreachable || seen[1].Version != "2.0.0" {
		t.Errorf("the list of clusters says %+v", seen)
	}

	// Once it is back it is caught up, and nobody else is moved.
	comesBack()
	before = s.snapshot("b")
	behind, err := s.engine.CatchUp(t.Context(), engine.PlanRequest{Files: engine.Files{Paths: []string{s.files}}, Component: s.component, Pipeline: "strict", By: "ann"})
	if err != nil || behind.Planned == nil || !slices.Equal(behind.Behind, []string{"a"}) || behind.Through.Name != run {
		t.Fatalf("behind is %+v: %v", behind, err)
	}
	caught, err := s.engine.Run(t.Context(), engine.RunRequest{Plan: behind.Planned.Hash, By: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	if end := s.ended(caught.Name, 3*time.Minute); end.Phase != api.PhaseSucceeded || phaseOf(end, "a") != api.PhaseSucceeded {
		t.Errorf("the run that catches up ended %s: %+v", end.Phase, end.Stages)
	}
	if tags := s.snapshot("a").Tags(); tags["2.0.0"] != nodes {
		t.Errorf("cluster a runs %v", tags)
	}
	if moved := witness.Moved(before, s.snapshot("b")); len(moved) > 0 {
		t.Errorf("b had it already, and moved: %v", moved)
	}
}

// TestFailureMode_R29_ARetryGoesOverWhatFailedWithTheSameDigests has a cluster out of reach until a run has ended, and edits the files
// before the retry: that brings what the plan fixed, where it was not brought, and nowhere else.
func TestFailureMode_R29_ARetryGoesOverWhatFailedWithTheSameDigests(t *testing.T) {
	s := newSiteOfOutages(t, "retried")
	s.work()
	s.install()
	s.declare("bearing", "  defaults: {batches: [100%], maxUnavailable: 100%, maxUnreachable: 1}\n  stages: [{name: all, clusterGroups: {all: true}}]\n")
	s.stop("a")
	t.Cleanup(func() { s.revive("a") })
	run := s.start("2.0.0", "bearing")
	first := s.ended(run, time.Minute)
	if phaseOf(first, "a") != api.PhaseMissed || phaseOf(first, "b") != api.PhaseSucceeded {
		t.Fatalf("the run ended %s: %+v", first.Phase, first.Stages)
	}
	s.edit("components.yaml", `"registry.example/agent:2.0.0"`, `"registry.example/agent:6.6.6"`)
	before := s.snapshot("b")
	s.revive("a")

	answer := s.tell(run, api.UpdateRetry, api.Scope{})
	runs, err := s.ledger.ListRuns(t.Context(), api.Component(s.component), 1)
	if err != nil || !strings.Contains(answer.Message, runs[0].Name) {
		t.Fatalf("after %q the newest run is %+v, %v", answer.Message, runs, err)
	}
	end := s.ended(runs[0].Name, 3*time.Minute) // the worker, and what simulates nodes, may not have found the API server again yet
	if end.Phase != api.PhaseSucceeded || end.Retry != run || end.Plan != first.Plan || len(end.Stages[0].Units) != 1 || phaseOf(end, "a") != api.PhaseSucceeded {
		t.Errorf("the retry ended %s: %+v", end.Phase, end.Stages)
	}
	if tags := s.snapshot("a").Tags(); tags["2.0.0"] != nodes {
		t.Errorf("cluster a runs %v", tags)
	}
	one, err := s.ledger.Deployment(t.Context(), "a", api.Component(s.component))
	other, err2 := s.ledger.Deployment(t.Context(), "b", api.Component(s.component))
	if err != nil || err2 != nil || one.Run != runs[0].Name || other.Run != run || one.Version != other.Version {
		t.Errorf("on record are %+v, %v and %+v, %v", one, err, other, err2)
	}
	if after := s.snapshot("b"); len(after.Tags()) != len(before.Tags()) || after.Tags()["2.0.0"] != nodes {
		t.Errorf("cluster b runs %v", after.Tags())
	}
	if again := s.tell(run, api.UpdateRetry, api.Scope{}); !strings.Contains(again.Message, "nothing of it is left") {
		t.Errorf("a second time it says %q", again.Message)
	}
}
