package e2e_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/witness"
)

func TestAVersionGoesThroughAndABadOneIsTakenBack(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "whole")
	s.work()
	s.install()
	recA, recB := s.record("a"), s.record("b")
	if end := s.ended(s.start("2.0.0", "careful"), 3*time.Minute); end.Phase != api.PhaseSucceeded {
		t.Fatalf("version 2 ended %s: %+v", end.Phase, end)
	}
	for cluster, rec := range map[string]*witness.Recorder{"a": recA, "b": recB} {
		seen := rec.Stop()
		once(t, seen, "2.0.0")
		if n := seen.MostUnavailable(nodes); n > 1 {
			t.Errorf("%d pods of %s were down at once, maxUnavailable is 1", n, cluster)
		}
	}
	beforeA, beforeB := s.snapshot("a"), s.snapshot("b")
	spec := s.kubectl("a", "-n", s.component, "get", "daemonset", "agent", "-o", "jsonpath={.spec.template}{.spec.updateStrategy}{.metadata.annotations}")
	rec := s.record("a")
	end := s.ended(s.start("3.0.0", "careful"), 2*time.Minute)
	if end.Phase != api.PhaseRolledBack {
		t.Fatalf("version 3 ended %s: %+v", end.Phase, end)
	}
	if n := rec.Stop().MostWithTag("3.0.0-crash-after-ready"); n != 1 {
		t.Errorf("%d pods had the bad version at once, the first batch is 1", n)
	}
	if moved := witness.Moved(beforeB, s.snapshot("b")); len(moved) > 0 {
		t.Errorf("cluster b, whose turn had not come, moved: %v", moved)
	}
	after := s.snapshot("a")
	if after.Running() != beforeA.Running() {
		t.Errorf("cluster a runs %s, ran %s", after.Running(), beforeA.Running())
	}
	if now := s.kubectl("a", "-n", s.component, "get", "daemonset", "agent", "-o", "jsonpath={.spec.template}{.spec.updateStrategy}{.metadata.annotations}"); withoutGeneration(now) != withoutGeneration(spec) {
		t.Errorf("the DaemonSet is not as before:\n%s\n%s", now, spec)
	}
	u := end.Stages[0].Units[0]
	if u.Failure == nil || u.Failure.Name != "restarts" || !strings.HasPrefix(u.FailedAt, "canary/a/canary/1") {
		t.Errorf("the unit does not say that the check restarts stopped it in its first batch: %+v at %s", u.Failure, u.FailedAt)
	}
}

// withoutGeneration leaves out the template generation that the API server counts up with every change of the template.
func withoutGeneration(s string) string {
	i := strings.Index(s, `"deprecated.daemonset.template.generation":"`)
	if i < 0 {
		return s
	}
	j := strings.Index(s[i+45:], `"`)
	return s[:i] + s[i+45+j:]
}

func TestFailureMode_R31_TheWayBackIsWhatRanBeforeTheRun(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "later")
	s.work()
	s.install()
	run := s.start("2.0.0", "slow")
	if end := s.ended(run, time.Minute); end.Phase != api.PhaseSucceeded {
		t.Fatalf("version 2 ended %s", end.Phase)
	}
	s.tell(run, api.UpdateRollback, api.Scope{})
	s.t.Log("rollback accepted")
	deadline := time.Now().Add(time.Minute)
	for s.snapshot("a").Tags()["1.0.0"] != nodes {
		if time.Now().After(deadline) {
			t.Fatalf("cluster a runs %s", s.snapshot("a").Running())
		}
		time.Sleep(200 * time.Millisecond)
	}
	runs, err := s.engine.Runs(t.Context(), engine.RunsQuery{Component: s.component, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	if end := s.ended(runs[0].Name, time.Minute); end.Phase != api.PhaseRolledBack || end.Back != run {
		t.Errorf("the run that takes %s back ended %s, back of %q", run, end.Phase, end.Back)
	}
	d, err := s.ledger.Deployment(t.Context(), "a", api.Component(s.component))
	if err != nil || d.Version != "1.0.0" {
		t.Errorf("the ledger says %+v, %v", d, err)
	}
}

// TestFailureMode_R23_R30_ConfigurationAloneGoesBatchByBatch: a version that changes nothing but configuration takes the way of any
// other, with its checks.
func TestFailureMode_R23_R30_ConfigurationAloneGoesBatchByBatch(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "config")
	s.work()
	s.install()
	s.edit("components.yaml", "agent:2.0.0", "agent:1.0.0")
	run := s.start("2.0.0", "slow")
	s.soaking(run)
	out := s.kubectl("a", "-n", s.component, "get", "pods", "-o", `jsonpath={range .items[*]}{.spec.volumes[?(@.name=="config")].configMap.name}{"\n"}{end}`)
	names := map[string]int{}
	for name := range strings.Lines(out) {
		names[strings.TrimSpace(name)]++
	}
	if len(names) != 2 {
		t.Fatalf("pods read %v: old ones must still read the old ConfigMap", names)
	}
	levels := []string{}
	for name := range names {
		levels = append(levels, strings.TrimSpace(s.kubectl("a", "-n", s.component, "get", "configmap", name, "-o", "jsonpath={.data.logLevel}")))
	}
	slices.Sort(levels)
	if !slices.Equal(levels, []string{"level-1", "level-2"}) {
		t.Errorf("the ConfigMaps hold %v", levels)
	}
	end := s.ended(run, time.Minute)
	for _, b := range end.Stages[0].Units[0].Batches {
		passed := slices.ContainsFunc(b.Checks, func(c api.Check) bool { return c.Name == "ready" && c.Verdict == api.Passed })
		if !passed {
			t.Errorf("batch %s ended %s without its check: %+v", b.Path, b.Phase, b.Checks)
		}
	}
	if n := len(end.Stages[0].Units[0].Batches); n != 2 || end.Phase != api.PhaseSucceeded {
		t.Errorf("the run ended %s after %d batches", end.Phase, n)
	}
}

func TestFailureMode_R01_AGateDoesNotJudgeTheOldRevision(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "stale")
	s.work()
	s.install()
	s.edit("components.yaml", "agent:2.0.0", "agent:2.0.0-never-ready")
	rec := s.record("a")
	run := s.start("2.0.0", "slow")
	s.until(run, "at its first batch", time.Minute, func(r api.RunStatus) bool { return s.snapshot("a").Tags()["2.0.0-never-ready"] > 0 })
	time.Sleep(6 * time.Second)
	report := s.report(run)
	if batches := report.Stages[0].Units[0].Batches; len(batches) != 1 || batches[0].Phase != api.PhaseMoving || batches[0].Ready != 0 {
		t.Errorf("every old pod is ready, and the batch is %+v", batches)
	}
	s.tell(run, api.UpdateRollback, api.Scope{})
	if end := s.ended(run, time.Minute); end.Phase != api.PhaseRolledBack {
		t.Errorf("the run ended %s", end.Phase)
	}
	if n := rec.Stop().MostWithTag("2.0.0-never-ready"); n > 1 {
		t.Errorf("%d pods of the version that never gets ready, maxUnavailable is 1", n)
	}
}

func TestFailureMode_R35_OurOwnHalfDoneWorkIsNotDrift(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "half")
	s.work()
	s.install()
	s.edit("components.yaml", "level-2, notes: kept by hand", "level-2, notes: from version 2")
	run := s.start("2.0.0", "slow")
	s.soaking(run)
	s.tell(run, api.UpdateAbort, api.Scope{})
	if end := s.ended(run, time.Minute); end.Phase != api.PhaseAborted {
		t.Fatalf("the run ended %s", end.Phase)
	}
	if text := s.kubectl("a", "-n", s.component, "get", "configmap", "notes", "-o", "jsonpath={.data.text}"); text != "from version 2" {
		t.Fatalf("ConfigMap notes says %q: the run was aborted too early for this test", text)
	}
	if err := s.plan("2.0.0", "slow").Refused(); err != nil {
		t.Errorf("a plan after the aborted run: %v", err)
	}
	if end := s.ended(s.start("2.0.0", "slow"), time.Minute); end.Phase != api.PhaseSucceeded {
		t.Errorf("the run after the aborted one ended %s", end.Phase)
	}
}

func TestAContextThatIsNotThereIsWrongInput(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "nowhere")
	s.work()
	s.edit("fleet.yaml", "metadata: {name: b}\nspec: {group: production", "metadata: {name: b}\nspec: {group: production, context: nowhere")
	err := s.plan("1.0.0", "install").Refused()
	if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "nowhere") || !strings.Contains(err.Error(), "b:") {
		t.Errorf("the plan says %v: it must name cluster b and its context", err)
	}
}

func TestFailureMode_R21_WhatIsNotRenderedAnyMoreStays(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "absent")
	s.work()
	s.install()
	s.edit("components.yaml", "level-2, notes: kept by hand", "level-2")
	if end := s.ended(s.start("2.0.0", "slow"), time.Minute); end.Phase != api.PhaseSucceeded {
		t.Fatalf("version 2 ended %s", end.Phase)
	}
	if out := s.kubectl("a", "-n", s.component, "get", "configmap", "notes", "-o", "name"); !strings.Contains(out, "notes") {
		t.Errorf("the ConfigMap that version 2 does not render is gone: %q", out)
	}
}

func TestFailureMode_R15_TwoRunsDoNotShareATarget(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "twice")
	s.work()
	s.install()
	first := s.plan("2.0.0", "slow")
	run := s.start("2.0.0", "slow")
	if err := s.try(first.Hash); err == nil || !strings.Contains(err.Error(), run) {
		t.Errorf("a second run on the same cluster: %v; it must be refused, and name %s", err, run)
	}
	if end := s.ended(run, time.Minute); end.Phase != api.PhaseSucceeded {
		t.Fatalf("the first run ended %s", end.Phase)
	}
}

func TestFailureMode_R17_EveryEndFreesTheLock(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "freed")
	s.work()
	s.install()
	run := s.start("2.0.0", "slow")
	s.soaking(run)
	s.tell(run, api.UpdateAbort, api.Scope{})
	if end := s.ended(run, time.Minute); end.Phase != api.PhaseAborted {
		t.Fatalf("the run ended %s", end.Phase)
	}
	if end := s.ended(s.start("2.0.0", "slow"), time.Minute); end.Phase != api.PhaseSucceeded {
		t.Errorf("the run after the aborted one ended %s", end.Phase)
	}
	if tags := s.snapshot("a").Tags(); tags["2.0.0"] != nodes {
		t.Errorf("cluster a runs %v", tags)
	}
}

func TestFailureMode_R36_AnotherInstallationIsRefused(t *testing.T) {
	turns.Take(t)
	first := newSite(t, "shared")
	kill := first.work()
	first.install()
	kill()
	second := newSite(t, "shared")
	second.work()
	run := second.start("1.0.0", "install")
	held := second.until(run, "refused", time.Minute, func(r api.RunStatus) bool { return phaseOf(r, "a") == api.PhaseRefused })
	mine, err := first.ledger.Installation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if w := held.Stages[0].Units[0].Waiting; w == nil || !strings.Contains(strings.Join(w.Unmet, " "), mine) {
		t.Errorf("the unit does not name installation %s: %+v", mine, w)
	}
	second.tell(run, api.UpdateAbort, api.Scope{})
	second.ended(run, time.Minute)
}

// TestFailureMode_R37_NothingMovesUntilAPersonSaysWhichToTrust: a cluster was restored from a backup, and its Lease says what ran then.
func TestFailureMode_R37_NothingMovesUntilAPersonSaysWhichToTrust(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "restored")
	s.work()
	s.install()
	restore := func(digest string) {
		s.kubectl("a", "-n", "sluice-system", "annotate", "--overwrite", "lease", "sluice-restored", "sluice.dev/digest="+digest)
	}
	installed, err := s.ledger.Deployment(t.Context(), "a", api.Component(s.component))
	if err != nil {
		t.Fatal(err)
	}
	before := s.snapshot("a")
	restore("sha256:0000")
	run := s.start("2.0.0", "steps")
	held := s.until(run, "refused", time.Minute, func(r api.RunStatus) bool { return phaseOf(r, "a") == api.PhaseRefused })
	if w := held.Stages[0].Units[0].Waiting; w == nil || !strings.Contains(strings.Join(w.Unmet, " "), "restored from a backup") {
		t.Errorf("the unit waits for %+v", w)
	}
	if moved := witness.Moved(before, s.snapshot("a")); len(moved) > 0 {
		t.Errorf("nobody said which to trust, and %v moved", moved)
	}
	trust := func(which api.Trust) api.Reconciled {
		t.Helper()
		got, err := s.engine.Reconcile(t.Context(), engine.ReconcileRequest{
			Component: s.component, Cluster: "a", Trust: which, By: "test", Reason: "the cluster is from yesterday",
		})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := trust(api.TrustLedger); got.Agreed || got.Lease.Target != "sha256:0000" || got.Now.Target != installed.Target {
		t.Errorf("the ledger was trusted, and they say %+v", got)
	}
	s.tell(run, api.UpdateResume, api.Scope{})
	if end := s.ended(run, time.Minute); end.Phase != api.PhaseSucceeded {
		t.Errorf("the run ended %s", end.Phase)
	}
	restore(installed.Target)
	if got := trust(api.TrustCluster); got.Now.Version != "1.0.0" {
		t.Errorf("the cluster was trusted, and they say %+v", got)
	}
	if d, err := s.ledger.Deployment(t.Context(), "a", api.Component(s.component)); err != nil || d.Version != "1.0.0" {
		t.Errorf("the ledger says %+v, %v", d, err)
	}
}
