package cluster

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines"
)

// wrote runs something and returns what it wrote but for the Lease.
func (w *world) wrote(do func()) []string {
	w.server.Writes()
	do()
	return without(w.server.Writes())
}

func TestWhatNeedsWorkloadsIsWrittenAfterThem(t *testing.T) {
	w := newWorld(t)
	w.planned("1.0.0", []string{aWebhook, configMap("a", "1")})
	w.lock()
	d := w.diff()
	for _, c := range []struct {
		after bool
		want  []string
	}{{false, []string{"create ConfigMap/a"}}, {true, []string{"create ValidatingWebhookConfiguration/gate"}}} {
		got := w.wrote(func() { must(w, w.acts.Apply, step.ApplyRequest{Ref: w.ref, Changes: d.Changes, After: c.after}) })
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("after the workloads: %v (-want +got):\n%s", c.after, diff)
		}
	}
}

func TestABatchTakesNoPodMoreThanItHas(t *testing.T) {
	w, d, object := underWay(t, "DaemonSet")
	state := must(w, w.acts.Prepare, w.about(d, object, goal.State{}))
	for i, batch := range []int{1, 3} {
		req := w.batch(d, object, state, i+1, pipelines.Count(batch))
		req.Goal.MaxUnavailable = pipelines.Count(4)
		got := w.wrote(func() { must(w, w.acts.Advance, req) })
		if want := batch - i; len(got) != want {
			t.Errorf("batch %d of %d pods wrote %v", i+1, want, got)
		}
	}
}

// A rollback by a run of its own writes what ran before, and deletes what only the later version has.
func TestARollbackLeavesWhatTheVersionBeforeHas(t *testing.T) {
	schema := func(of string) string {
		return strings.Replace(aCRD, `"scope"`, `"versions": [{"name": "`+of+`"}], "scope"`, 1)
	}
	w := newWorld(t)
	w.planned("1.0.0", []string{configMap("a", "1"), configMap("b", "1"), schema("v1")})
	w.rollout()
	w.server.Delete(w.object("v1", "ConfigMap", "a"))
	w.planned("2.0.0", []string{configMap("a", "2"), configMap("b", "2"), configMap("c", "2"), strings.Replace(schema("v1"), `[{"name": "v1"}]`, `[{"name": "v1"}, {"name": "v2"}]`, 1)})
	w.rollout()
	w.turnBack()
	got := w.wrote(func() {
		w.lock()
		d := w.diff()
		for _, after := range []bool{false, true} {
			must(w, w.acts.Apply, step.ApplyRequest{Ref: w.ref, Changes: d.Changes, After: after})
		}
	})
	if diff := cmp.Diff([]string{"patch ConfigMap/a", "patch ConfigMap/b", "delete ConfigMap/c"}, got); diff != "" {
		t.Errorf("it wrote (-want +got):\n%s", diff)
	}
	for name, value := range map[string]string{"a": "1", "b": "1"} {
		if o := w.object("v1", "ConfigMap", name); o == nil || o.Object["data"].(map[string]any)["key"] != value {
			t.Errorf("%s is %v", name, o)
		}
	}
}

func TestANamespaceThatIsThereIsNotOurs(t *testing.T) {
	w := newWorld(t)
	w.planned("1.0.0", []string{configMap("a", "1")})
	if diff := cmp.Diff([]string{"create ConfigMap/a"}, w.wrote(func() { w.rollout() })); diff != "" {
		t.Errorf("it wrote (-want +got):\n%s", diff)
	}
}

// Somebody writes between the driver's look and its patch.
func TestADriverOverwritesNobody(t *testing.T) {
	for _, kind := range []string{"DaemonSet", "Deployment"} {
		w, d, object := underWay(t, kind)
		done := false
		w.server.Before = func(asked kubetest.Write) int {
			if asked.String() != "patch "+kind+"/agent" || done {
				return 0
			}
			done = true
			theirs := parsed(t, load(kind, "agent", "9.9.9"))
			live := w.object("apps/v1", kind, "agent")
			live.Object["spec"].(map[string]any)["template"] = theirs.Object["spec"].(map[string]any)["template"]
			w.server.Put(live)
			return 0
		}
		_, err := attempt(w, firstTry, w.acts.Prepare, w.about(d, object, goal.State{}))
		if fault.CodeOf(err) != fault.Conflict || !done {
			t.Errorf("%s: it says %v", kind, err)
		}
	}
}
