package e2e_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
)

// guard is the webhook of the test's component.
func (s *site) guard() string { return "ValidatingWebhookConfiguration/" + s.component + "-guard" }

// guarded waits until the API server refuses writes for the webhook, which nobody answers.
func (s *site) guarded() {
	s.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		out, err := s.stack.Command(s.t.Context(), "kubectl", "--cluster", "a", "-n", s.component, "annotate", "--overwrite", "configmap", "notes", "touched=yes", "--dry-run=server").CombinedOutput()
		if err != nil && strings.Contains(string(out), "guard.agent.example") {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the webhook does not stand: %v %s", err, out)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// guardedLast checks that the webhook was made after everything else of the run, once every pod of the workload had moved, and
// returns when.
func guardedLast(t *testing.T, tr *trail, after uint64) uint64 {
	t.Helper()
	made := tr.until(tr.guard, watch.Added, after)
	var agent *unstructured.Unstructured
	before := map[string]bool{}
	for _, c := range tr.so() {
		switch {
		case c.version <= after || c.name == tr.guard:
		case c.version > made.version && c.spec:
			t.Errorf("%s was %s after the webhook was made", c.name, c.event)
		case c.version < made.version:
			before[c.name] = before[c.name] || c.spec
			if c.name == "DaemonSet/agent" {
				agent = c.object
			}
		}
	}
	for _, name := range []string{"DaemonSet/agent", "Deployment/second", "ConfigMap/notes", "ConfigMap/extra"} {
		if !before[name] {
			t.Errorf("%s was not written before the webhook", name)
		}
	}
	if agent == nil {
		t.Fatal("the DaemonSet never changed")
	}
	for _, field := range []string{"updatedNumberScheduled", "numberReady"} {
		if n, _, _ := unstructured.NestedInt64(agent.Object, "status", field); n != nodes {
			t.Errorf("when the webhook was made, the DaemonSet had %s %d", field, n)
		}
	}
	return made.version
}

// unguardedFirst checks that nothing of the way back came before the end of the webhook.
func unguardedFirst(t *testing.T, tr *trail, after uint64) uint64 {
	t.Helper()
	gone := tr.until(tr.guard, watch.Deleted, after)
	last := tr.until("ConfigMap/extra", watch.Deleted, after).version
	behind := map[string]bool{}
	for _, c := range tr.so() {
		switch {
		case c.version <= after || c.name == tr.guard || !c.spec:
		case c.version < gone.version:
			t.Errorf("%s was %s before the webhook was gone", c.name, c.event)
		default:
			behind[c.name] = true
			last = max(last, c.version)
		}
	}
	for _, name := range []string{"DaemonSet/agent", "Deployment/second", "ConfigMap/notes", "ConfigMap/extra"} {
		if !behind[name] {
			t.Errorf("%s did not go back", name)
		}
	}
	return last
}

func TestFailureMode_R33_AWebhookComesLastAndGoesFirst(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "webhooked")
	s.work()
	s.install()
	before := s.snapshot("a")
	s.edit("components.yaml", "level-2, notes: kept by hand", "level-2, notes: from version 2, extra: true, guard: true")
	for name, soak := range map[string]string{"lingering": "10m", "prompt": "0s"} {
		s.declare(name, "  defaults: {batches: [100%], maxUnavailable: 100%, soak: {cluster: "+soak+"}}\n  stages: [{name: canary, clusterGroups: {matchLabels: {environment: canary}}}]\n")
	}
	tr := s.follow("a", configMaps, daemonSets, deployments, webhooks)

	open := s.start("2.0.0", "lingering")
	s.soaking(open)
	made := guardedLast(t, tr, 0)
	s.guarded()
	s.tell(open, api.UpdateRollback, api.Scope{})
	if end := s.ended(open, 2*time.Minute); end.Phase != api.PhaseRolledBack {
		t.Fatalf("the open run ended %s: %+v", end.Phase, end.Stages[0].Units)
	}
	back := unguardedFirst(t, tr, made)
	s.asBefore(before)

	s.thaws(open, "2.0.0", "lingering")
	whole := s.start("2.0.0", "prompt")
	if end := s.ended(whole, time.Minute); end.Phase != api.PhaseSucceeded {
		t.Fatalf("version 2 ended %s", end.Phase)
	}
	made = guardedLast(t, tr, back)
	s.guarded()
	s.tell(whole, api.UpdateRollback, api.Scope{})
	runs, err := s.engine.Runs(t.Context(), engine.RunsQuery{Component: s.component, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	if end := s.ended(runs[0].Name, 2*time.Minute); end.Phase != api.PhaseRolledBack {
		t.Fatalf("the run that takes it back ended %s: %+v", end.Phase, end.Stages[0].Units)
	}
	unguardedFirst(t, tr, made)
	s.asBefore(before)
}

func TestAFirstInstallationIsTakenBackWithItsWebhookFirst(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "crashing")
	s.work()
	s.edit("components.yaml", "{logLevel: level-3}", "{logLevel: level-3, notes: from version 3, extra: true, guard: true}")
	s.declare("resting-cluster", `  onFailure: Rollback
  defaults:
    batches: [100%]
    maxUnavailable: 100%
    soak: {cluster: 5m}
    checks: [{name: restarts, at: [during], gate: {cel: "workload.restarts == 0", message: containers of the new version restart}}]
  stages: [{name: canary, clusterGroups: {matchLabels: {environment: canary}}}]
`)
	tr := s.follow("a", configMaps, daemonSets, deployments, webhooks)
	end := s.ended(s.start("3.0.0", "resting-cluster"), 3*time.Minute)
	u := unitOf(end, "a")
	if end.Phase != api.PhaseRolledBack || !slices.Contains(u.Kept, "Namespace/crashing") {
		t.Fatalf("the run ended %s, the unit with %+v; it keeps %v", end.Phase, u.Failure, u.Kept)
	}
	unguardedFirst(t, tr, tr.until(tr.guard, watch.Added, 0).version)
	left := s.kubectl("a", "-n", s.component, "get", "daemonsets,deployments,configmaps", "-o", "name", notTheClusters)
	if left != "" {
		t.Errorf("left are %q", left)
	}
}
