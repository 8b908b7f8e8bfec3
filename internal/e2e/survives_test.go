package e2e_test

import (
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/witness"
)

// try starts a plan and returns what came of it.
func (s *site) try(hash string) error {
	_, err := s.engine.Run(s.t.Context(), engine.RunRequest{Plan: hash, By: "test"})
	return err
}

// inBatch waits until some pods of the last batch have moved and some have not.
func (s *site) inBatch(cluster, tag string) {
	s.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		if n := s.snapshot(cluster).Tags()[tag]; n > 2 && n < nodes-1 {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("cluster %s was never in the middle of a batch: %s", cluster, s.snapshot(cluster).Running())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestFailureMode_R27_AKilledWorkerLosesAndRepeatsNothing(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "killed")
	kill := s.work()
	s.install()
	rec := s.record("a")
	run := s.start("2.0.0", "slow")
	s.inBatch("a", "2.0.0")
	kill()
	s.work()
	end := s.ended(run, 2*time.Minute)
	if end.Phase != api.PhaseSucceeded {
		t.Fatalf("the run ended %s", end.Phase)
	}
	seen := rec.Stop()
	once(t, seen, "2.0.0")
	if n := seen.MostUnavailable(nodes); n > 1 {
		t.Errorf("%d pods were down at once, maxUnavailable is 1", n)
	}
	checked(t, s, run)
}

// checked makes sure that every batch of the run's first unit was judged and passed.
func checked(t *testing.T, s *site, run string) {
	t.Helper()
	report := s.report(run)
	batches := report.Stages[0].Units[0].Batches
	if len(batches) != 2 {
		t.Fatalf("the report has %d batches: %+v", len(batches), batches)
	}
	for _, b := range batches {
		if len(b.Checks) != 1 || b.Checks[0].Verdict != api.Passed {
			t.Errorf("batch %s was judged %+v", b.Path, b.Checks)
		}
	}
}

func TestTemporalIsRestartedInTheMiddleOfABatch(t *testing.T) {
	s := newSite(t, "temporal")
	s.work()
	s.install()
	rec := s.record("a")
	run := s.start("2.0.0", "slow")
	s.inBatch("a", "2.0.0")
	s.stack.Run(t, "restart", "temporal")
	if end := s.ended(run, 2*time.Minute); end.Phase != api.PhaseSucceeded {
		t.Fatalf("the run ended %s", end.Phase)
	}
	once(t, rec.Stop(), "2.0.0")
	checked(t, s, run)
}

func TestFailureMode_R05_R32_PausedThenRolledBack(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "paused")
	s.work()
	s.install()
	before := s.snapshot("a")
	run := s.start("2.0.0", "slow")
	s.soaking(run)
	s.tell(run, api.UpdatePause, api.Scope{})
	s.until(run, "paused", time.Minute, func(r api.RunStatus) bool { return phaseOf(r, "a") == api.PhasePaused })
	moved := s.snapshot("a").Tags()["2.0.0"]
	var old string
	for _, p := range s.snapshot("a").Pods {
		if p.Tag() == "1.0.0" {
			old = p.Name
		}
	}
	s.kubectl("a", "-n", s.component, "delete", "pod", old, "--wait=true")
	s.settled("a")
	if now := s.snapshot("a").Tags(); now["2.0.0"] != moved || now["1.0.0"] != nodes-moved {
		t.Errorf("a pod that was recreated while paused got the new version: %v", now)
	}
	s.tell(run, api.UpdateRollback, api.Scope{})
	if end := s.ended(run, time.Minute); end.Phase != api.PhaseRolledBack {
		t.Fatalf("the run ended %s", end.Phase)
	}
	if now := s.snapshot("a"); now.Running() != before.Running() {
		t.Errorf("cluster a runs %s, ran %s", now.Running(), before.Running())
	}
}

// settled waits until every pod is ready, of which there are as many as nodes: more only where a Deployment surges.
func (s *site) settled(cluster string) {
	s.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for now := s.snapshot(cluster); now.Ready() < nodes || now.Ready() != len(now.Pods); now = s.snapshot(cluster) {
		if time.Now().After(deadline) {
			s.t.Fatalf("cluster %s: %s", cluster, s.snapshot(cluster).Running())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func TestFailureMode_R22_ADriftedConfigMapIsShownAndNotOverwrittenUntilTold(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "drift")
	s.work()
	s.install()
	s.kubectl("b", "-n", s.component, "patch", "configmap", "notes", "--type=merge", "-p", `{"data":{"text":"edited at night"}}`)
	p := s.plan("2.0.0", "careful")
	err := p.Refused()
	if err == nil || !strings.Contains(err.Error(), "notes") || !strings.Contains(err.Error(), "edited at night") || strings.Contains(err.Error(), "\n  a:") {
		t.Fatalf("the plan says %v: it must show the drift of ConfigMap notes in cluster b", err)
	}
	if err := s.try(p.Hash); err == nil {
		t.Error("a plan that is refused was started")
	}
	s.edit("components.yaml", "version: 2.0.0", "version: 2.0.0\n  drift: Overwrite")
	if err := s.plan("2.0.0", "careful").Refused(); err != nil {
		t.Errorf("told to overwrite, the plan says %v", err)
	}
}

func TestFailureMode_R06_ATerminatedRunStopsAndDisarmsItsUnits(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "orphaned")
	s.work()
	s.install()
	run := s.start("2.0.0", "slow")
	s.soaking(run)
	c, err := engine.Dial(t.Context(), s.dial)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Client.TerminateWorkflow(t.Context(), run, "", "somebody deleted it"); err != nil {
		t.Fatal(err)
	}
	var unit api.UnitStatus
	if err := c.Client.GetWorkflow(t.Context(), api.UnitWorkflowID("canary/a", api.Component(s.component)), "").Get(t.Context(), &unit); !api.Ended(err, &unit) {
		t.Fatalf("the unit closed with %v", err)
	}
	if unit.Phase != api.PhaseAborted || unit.Armed {
		t.Errorf("the unit ended %s, armed %v", unit.Phase, unit.Armed)
	}
	moved := s.snapshot("a").Tags()["2.0.0"]
	for _, p := range s.snapshot("a").Pods {
		if p.Tag() == "1.0.0" {
			s.kubectl("a", "-n", s.component, "delete", "pod", p.Name, "--wait=true")
			break
		}
	}
	s.settled("a")
	if now := s.snapshot("a").Tags()["2.0.0"]; now != moved {
		t.Errorf("%d pods had version 2 when the run was terminated, %d have it after one was recreated", moved, now)
	}
}

func TestFailureMode_R06_WithEverythingGoneNothingMoves(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "terminated")
	kill := s.work()
	s.install()
	run := s.start("2.0.0", "slow")
	s.soaking(run)
	kill()
	c, err := engine.Dial(t.Context(), s.dial)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, id := range []string{run, api.UnitWorkflowID("canary/a", api.Component(s.component))} {
		if err := c.Client.TerminateWorkflow(t.Context(), id, "", "somebody deleted it"); err != nil {
			t.Fatal(err)
		}
	}
	before := s.snapshot("a")
	time.Sleep(8 * time.Second)
	if moved := witness.Moved(before, s.snapshot("a")); len(moved) > 0 {
		t.Errorf("with everything of Sluice gone, cluster a went on: %v", moved)
	}
}

// asBefore checks that nothing of version 2 is left in cluster a: neither what it changed, nor what it only added.
func (s *site) asBefore(before witness.Snapshot) {
	s.t.Helper()
	if now := s.snapshot("a"); now.Running() != before.Running() {
		s.t.Errorf("cluster a runs %s, ran %s", now.Running(), before.Running())
	}
	if env := s.kubectl("a", "-n", s.component, "get", "daemonset", "agent", "-o", "jsonpath={.spec.template.spec.containers[0].env}"); strings.TrimSpace(env) != "" {
		s.t.Errorf("the variable that version 2 added stayed: %s", env)
	}
	if left := s.kubectl("a", "-n", s.component, "get", "configmap/extra", "deployment/second", "--ignore-not-found", "-o", "name"); strings.TrimSpace(left) != "" {
		s.t.Errorf("what version 2 made stayed: %s", left)
	}
	if text := s.kubectl("a", "-n", s.component, "get", "configmap", "notes", "-o", "jsonpath={.data.text}"); text != "kept by hand" {
		s.t.Errorf("ConfigMap notes says %q", text)
	}
}

func TestARollbackTakesAwayWhatTheRunAdded(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "added")
	s.work()
	s.install()
	before := s.snapshot("a")
	s.edit("components.yaml", "level-2, notes: kept by hand", "level-2, notes: from version 2, extra: true")

	open := s.start("2.0.0", "slow")
	s.soaking(open)
	s.tell(open, api.UpdateRollback, api.Scope{})
	if end := s.ended(open, time.Minute); end.Phase != api.PhaseRolledBack {
		t.Fatalf("the open run ended %s: %+v", end.Phase, end.Stages[0].Units)
	}
	s.asBefore(before)

	s.thaws(open, "2.0.0", "slow")
	whole := s.start("2.0.0", "slow")
	if end := s.ended(whole, time.Minute); end.Phase != api.PhaseSucceeded {
		t.Fatalf("version 2 ended %s", end.Phase)
	}
	if out := s.kubectl("a", "-n", s.component, "get", "configmap/extra", "deployment/second", "-o", "name"); len(strings.Fields(out)) != 2 {
		t.Fatalf("version 2 did not bring what it adds: %s", out)
	}
	s.tell(whole, api.UpdateRollback, api.Scope{})
	runs, err := s.engine.Runs(t.Context(), engine.RunsQuery{Component: s.component, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	if end := s.ended(runs[0].Name, time.Minute); end.Phase != api.PhaseRolledBack {
		t.Fatalf("the run that takes it back ended %s: %+v", end.Phase, end.Stages[0].Units)
	}
	s.asBefore(before)
}
