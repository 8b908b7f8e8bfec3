package cluster

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/templates"
)

// without is what was written but for the Lease.
func without(writes []kubetest.Write) []string {
	var out []string
	for _, asked := range writes {
		if !strings.HasPrefix(asked.Object, "Lease/") {
			out = append(out, asked.String())
		}
	}
	return out
}

// firstTry is the first attempt of a step.
var firstTry = kube.Try{Step: 1, Attempt: 1}

const (
	aNamespace = `{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "more"}}`
	aCRD       = `{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "things.example.org"}, "spec": {"group": "example.org", "names": {"kind": "Thing", "plural": "things"}, "scope": "Namespaced"}}`
	aClaim     = `{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "apps"}, "spec": {"accessModes": ["ReadWriteOnce"]}}`
	aWebhook   = `{"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "gate"}, "webhooks": []}`
)

// back takes back what the latest plan's own unit has written that is no workload.
func (w *world) back(d step.DiffResult) step.ApplyResult {
	w.Helper()
	var all step.ApplyResult
	for _, after := range []bool{true, false} {
		got := must(w, w.acts.Unapply, step.ApplyRequest{Ref: w.ref, Changes: d.Changes, After: after})
		all.Deleted, all.Kept = append(all.Deleted, got.Deleted...), append(all.Kept, got.Kept...)
		all.Patched = append(all.Patched, got.Patched...)
	}
	return all
}

func TestARollbackKeepsWhatHoldsData(t *testing.T) {
	w := newWorld(t)
	w.planned("1.0.0", []string{aNamespace, aCRD, aClaim, aWebhook, configMap("a", "1"), configMap("b", "1")})
	w.lock()
	d := w.diff()
	for _, after := range []bool{false, true} {
		must(w, w.acts.Apply, step.ApplyRequest{Ref: w.ref, Changes: d.Changes, After: after})
	}
	w.server.Writes()
	got := w.back(d)
	want := []string{"delete ValidatingWebhookConfiguration/gate", "delete ConfigMap/b", "delete ConfigMap/a"}
	if diff := cmp.Diff(want, without(w.server.Writes())); diff != "" {
		t.Errorf("it wrote (-want +got):\n%s", diff)
	}
	for _, kept := range []*unstructured.Unstructured{
		w.object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "things.example.org"), w.object("v1", "Namespace", "more"),
		w.object("v1", "PersistentVolumeClaim", "data"),
	} {
		if kept == nil {
			t.Error("something that holds data is gone")
		}
	}
	if len(got.Kept) != 3 || len(got.Deleted) != 3 {
		t.Errorf("it says that it kept %v and deleted %v", got.Kept, got.Deleted)
	}
}

func TestARollbackGivesNoSchemaBack(t *testing.T) {
	w := newWorld(t)
	w.server.Put(parsed(t, strings.Replace(aCRD, `"scope"`, `"versions": [], "scope"`, 1)))
	w.planned("1.0.0", []string{aCRD, configMap("a", "1")})
	w.lock()
	d := w.diff()
	must(w, w.acts.Apply, step.ApplyRequest{Ref: w.ref, Changes: d.Changes})
	w.server.Writes()
	got := w.back(d)
	if diff := cmp.Diff([]string{"delete ConfigMap/a"}, without(w.server.Writes())); diff != "" {
		t.Errorf("it wrote (-want +got):\n%s", diff)
	}
	if !slices.ContainsFunc(got.Kept, func(said string) bool { return strings.HasPrefix(said, "CustomResourceDefinition/things") }) {
		t.Errorf("it says that it kept %v", got.Kept)
	}
}

// Sluice may be killed between a write and the note of what it left: then it goes by what is there.
func TestOnlyWhatIsOursIsDeleted(t *testing.T) {
	for _, c := range []struct {
		reason string
		there  func(o *unstructured.Unstructured)
		gone   bool
	}{
		{"it was made, and the answer was lost", func(*unstructured.Unstructured) {}, true},
		{"somebody else made one of that name", func(o *unstructured.Unstructured) { o.SetAnnotations(nil) }, false},
		{"another component made it", func(o *unstructured.Unstructured) {
			o.SetAnnotations(map[string]string{templates.ComponentAnnotation: "other"})
		}, false},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t)
			w.planned("1.0.0", []string{configMap("a", "1")})
			w.lock()
			d := w.diff()
			w.server.Before = func(asked kubetest.Write) int {
				if asked.Verb != "create" {
					return 0
				}
				o := parsed(t, asked.Body)
				c.there(o)
				w.server.Put(o)
				return http.StatusInternalServerError
			}
			if _, err := attempt(w, firstTry, w.acts.Apply, step.ApplyRequest{Ref: w.ref, Changes: d.Changes}); fault.CodeOf(err) != fault.Unreachable {
				t.Fatalf("the write that was not answered: %v", err)
			}
			w.server.Before = nil
			w.back(d)
			if is := w.object("v1", "ConfigMap", "a") == nil; is != c.gone {
				t.Errorf("it is gone: %v", is)
			}
		})
	}
}

func TestAWorkloadInAnothersNameIsNotDeleted(t *testing.T) {
	for _, kind := range []string{"DaemonSet", "Deployment"} {
		for _, c := range []struct {
			reason  string
			between func(w *world)
			gone    bool
		}{
			{"the run made it", func(*world) {}, true},
			{"somebody has made another since", func(w *world) {
				w.server.Delete(w.object("apps/v1", kind, "agent"))
				w.server.Put(parsed(w.T, load(kind, "agent", "9.9.9")))
			}, false},
			{"somebody makes another in the moment in which it is deleted", func(w *world) {
				w.server.Before = func(asked kubetest.Write) int {
					if asked.Verb == "delete" && w.object("apps/v1", kind, "agent") != nil {
						w.server.Before = nil
						w.server.Delete(w.object("apps/v1", kind, "agent"))
						w.server.Put(parsed(w.T, load(kind, "agent", "9.9.9")))
					}
					return 0
				}
			}, false},
		} {
			t.Run(kind+"/"+c.reason, func(t *testing.T) {
				w := newWorld(t)
				w.planned("1.0.0", []string{load(kind, "agent", "1.0.0")})
				w.lock()
				d := w.diff()
				object := kind + "/apps/agent"
				state := must(w, w.acts.Prepare, w.about(d, object, goal.State{}))
				c.between(w)
				must(w, w.acts.Revert, w.batch(d, object, state, 1, pipelines.Percent(100)))
				if is := w.object("apps/v1", kind, "agent") == nil; is != c.gone {
					t.Errorf("it is gone: %v", is)
				}
			})
		}
	}
}

func TestOnlyThePlannedPatchIsSent(t *testing.T) {
	two := func(a, b string) string {
		return `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "apps"}, "data": {"a": "` + a + `", "b": "` + b + `"}}`
	}
	for _, c := range []struct {
		reason string
		edit   string // what somebody makes of it in between
		code   fault.Code
		writes []string
	}{
		{"nobody wrote", "", "", []string{"patch ConfigMap/a"}},
		{"somebody wrote something else", `{"data": {"a": "1", "b": "1", "c": "theirs"}}`, "", []string{"patch ConfigMap/a"}},
		{"somebody has written half of it", `{"data": {"a": "2", "b": "1"}}`, fault.Conflict, nil},
		{"somebody has written all of it", `{"data": {"a": "2", "b": "2"}}`, "", nil},
		{"somebody wrote into it", `{"data": {"a": "theirs", "b": "1"}}`, fault.Conflict, nil},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t)
			w.planned("1.0.0", []string{two("1", "1")})
			w.rollout()
			w.planned("2.0.0", []string{two("2", "2")})
			w.lock()
			d := w.diff()
			if c.edit != "" {
				o := w.object("v1", "ConfigMap", "a")
				o.Object["data"] = parsed(t, `{"apiVersion": "v1", "kind": "x", `+c.edit[1:]).Object["data"]
				w.server.Put(o)
			}
			w.server.Writes()
			_, err := attempt(w, firstTry, w.acts.Apply, step.ApplyRequest{Ref: w.ref, Changes: d.Changes})
			if fault.CodeOf(err) != c.code {
				t.Errorf("it says %v", err)
			}
			if diff := cmp.Diff(c.writes, without(w.server.Writes())); diff != "" {
				t.Errorf("it wrote (-want +got):\n%s", diff)
			}
		})
	}
}

// turnBack makes the latest plan's run be taken back by a run of its own.
func (w *world) turnBack() {
	w.Helper()
	of := w.ref.Run
	w.ref = w.begin(ledger.Run{Back: of})
	w.ref.Back, w.ref.BackOf = true, of
}

func TestARollbackTakesNothingFromAnotherOwner(t *testing.T) {
	w := newWorld(t)
	w.planned("1.0.0", []string{configMap("a", "1"), configMap("b", "1")})
	w.rollout()
	w.planned("2.0.0", []string{configMap("a", "2"), configMap("b", "2")})
	w.rollout()
	taken := w.object("v1", "ConfigMap", "a")
	taken.SetAnnotations(map[string]string{"argocd.argoproj.io/tracking-id": "their-app:/ConfigMap:apps/a", templates.ComponentAnnotation: "agent"})
	w.server.Put(taken)
	w.turnBack()
	w.lock()
	refusals := w.diff().Cluster.Refusals
	if len(refusals) != 1 || refusals[0].Rule != "owned-by" || refusals[0].Object != "ConfigMap/apps/a" {
		t.Errorf("the way back is refused for %+v", refusals)
	}
}

func TestWhoMayTakeTheLease(t *testing.T) {
	version := func(w *world, v string) {
		w.planned(v, []string{configMap("a", v)})
	}
	for _, c := range []struct {
		reason string
		set    func(w *world)
		says   string // "" where it may
	}{
		{"the first run", func(w *world) { version(w, "1.0.0") }, ""},
		{"the next", func(w *world) { version(w, "1.0.0"); w.rollout(); version(w, "2.0.0") }, ""},
		{"the same again, after a crash", func(w *world) { version(w, "1.0.0"); w.lock() }, ""},
		{"a plan that another run has overtaken", func(w *world) {
			version(w, "1.0.0")
			w.rollout()
			version(w, "2.0.0")
			late, plan := w.ref, w.plan
			version(w, "3.0.0")
			w.rollout()
			w.ref, w.plan = late, plan
		}, "has brought version 3.0.0 there since the plan was made"},
		{"the rollback of what runs", func(w *world) { version(w, "1.0.0"); w.rollout(); version(w, "2.0.0"); w.rollout(); w.turnBack() }, ""},
		{"the rollback of a run that another has followed", func(w *world) {
			version(w, "1.0.0")
			w.rollout()
			version(w, "2.0.0")
			w.rollout()
			late, plan := w.ref, w.plan
			version(w, "3.0.0")
			w.rollout()
			w.ref, w.plan = late, plan
			w.turnBack()
		}, "has brought version 3.0.0 there since"},
		{"where the Lease says that something else runs", func(w *world) {
			version(w, "1.0.0")
			w.rollout()
			for _, lease := range w.server.All("Lease") {
				lease.SetAnnotations(map[string]string{
					"sluice.dev/run": "agent-9", "sluice.dev/fence": "1", "sluice.dev/state": "free", "sluice.dev/digest": "target-9.0.0",
				})
				w.server.Put(lease)
			}
			version(w, "2.0.0")
		}, "one of them was restored from a backup"},
		{"where another installation has it", func(w *world) {
			version(w, "1.0.0")
			w.rollout()
			for _, lease := range w.server.All("Lease") {
				lease.Object["spec"].(map[string]any)["holderIdentity"] = "theirs"
				w.server.Put(lease)
			}
			version(w, "2.0.0")
		}, "installation theirs has it"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t)
			c.set(w)
			w.leaseIsSeen()
			ref, err := w.acts.Acquire(t.Context(), w.ref)
			if c.says == "" && (err != nil || ref.Fence == 0) {
				t.Errorf("it may not: %v", err)
			}
			if c.says != "" && (fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("it says %v", err)
			}
		})
	}
}

// leaseIsSeen waits until a watch shows the Lease as the server has it.
func (w *world) leaseIsSeen() {
	w.Helper()
	c, err := w.pool.Cluster(w.Context(), "a")
	if err != nil {
		w.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		seen, seeing := kube.SeeLease(w.Context(), c, w.ref.Subject)
		there, reading := kube.ReadLease(w.Context(), c, w.ref.Subject)
		if seeing == nil && reading == nil && seen.Digest == there.Digest && seen.Installation == there.Installation {
			return
		}
		if time.Now().After(end) {
			w.Fatalf("the watch shows %+v, the server has %+v", seen, there)
		}
	}
}

// A crash at any moment is to find what was meant: the intent is there before the write.
func TestTheIntentComesBeforeTheWrite(t *testing.T) {
	w := newWorld(t)
	w.planned("1.0.0", []string{configMap("a", "1"), load("DaemonSet", "agent", "1.0.0")})
	seen := 0
	w.server.Before = func(asked kubetest.Write) int {
		if strings.HasPrefix(asked.Object, "Lease/") || strings.HasPrefix(asked.Object, "Pod/") {
			return 0
		}
		writes, err := w.acts.Ledger.ListWrites(t.Context(), w.ref.Run, "a")
		if err != nil {
			t.Error(err)
		}
		kind, name, _ := strings.Cut(asked.Object, "/")
		if !slices.ContainsFunc(writes, func(known ledger.Write) bool {
			return strings.Contains(known.Object, kind) && strings.HasSuffix(known.Object, "/"+name) && known.Intent != ""
		}) {
			t.Errorf("%s comes before its intent", asked)
		}
		seen++
		return 0
	}
	w.rollout()
	w.planned("2.0.0", []string{configMap("a", "2"), load("DaemonSet", "agent", "2.0.0")})
	w.rollout()
	if seen < 5 {
		t.Errorf("only %d writes were looked at", seen)
	}
}

func TestADisarmedWorkloadHandsNothingNewOut(t *testing.T) {
	for _, kind := range []string{"DaemonSet", "Deployment"} {
		w, d, object := underWay(t, kind)
		state := must(w, w.acts.Prepare, w.about(d, object, goal.State{}))
		must(w, w.acts.Advance, w.batch(d, object, state, 1, pipelines.Count(2)))
		state = must(w, w.acts.Disarm, w.about(d, object, state))
		live := w.object("apps/v1", kind, "agent")
		hold, err := workload.HoldOf(live)
		if err != nil || hold == nil || hold.Armed || state.Armed {
			t.Fatalf("%s: the hold is %+v, %v", kind, hold, err)
		}
		image, _, _ := unstructured.NestedSlice(live.Object, "spec", "template", "spec", "containers")
		paused, _, _ := unstructured.NestedBool(live.Object, "spec", "paused")
		old := strings.HasSuffix(image[0].(map[string]any)["image"].(string), ":1.0.0")
		if kind == "DaemonSet" && !old || kind == "Deployment" && !paused {
			t.Errorf("%s: a pod that is made anew would be new: paused is %v, the template %v", kind, paused, image)
		}
		must(w, w.acts.Arm, w.about(d, object, state))
		must(w, w.acts.Advance, w.batch(d, object, state, 2, pipelines.Percent(100)))
	}
}

// An extra pod, as a node that was cut off leaves one, is still served: its node has not moved while it lives.
func TestANodeHasMovedOnceNoOldPodIsLeft(t *testing.T) {
	w, d, object := underWay(t, "DaemonSet")
	left := w.server.All("Pod")
	state := must(w, w.acts.Prepare, w.about(d, object, goal.State{}))
	must(w, w.acts.Advance, w.batch(d, object, state, 1, pipelines.Percent(100)))
	for _, pod := range left {
		pod.SetName(pod.GetName() + "-left")
		pod.SetUID("")
		w.server.Put(pod)
	}
	moved := func() int64 {
		return must(w, w.acts.Look, w.batch(d, object, state, 1, pipelines.Percent(100))).Facts.Batch.Updated
	}
	for end := time.Now().Add(10 * time.Second); moved() != 0 && time.Now().Before(end); { // the watch may be behind
	}
	for range 8 {
		if n := moved(); n != 0 {
			t.Fatalf("%d nodes have moved, and each has an old pod", n)
		}
	}
}

func TestTheRecordIsOfWhatArrived(t *testing.T) {
	for _, c := range []struct {
		reason  string
		outcome api.Phase
		want    string
	}{
		{"it arrived", api.PhaseSucceeded, "2.0.0"},
		{"it was stopped", api.PhaseAborted, "1.0.0"},
		{"it failed", api.PhaseFailed, "1.0.0"},
		{"it went back", api.PhaseRolledBack, "1.0.0"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t)
			w.planned("1.0.0", []string{configMap("a", "1")})
			w.rollout()
			w.planned("2.0.0", []string{configMap("a", "2")})
			w.lock()
			d := w.diff()
			must(w, w.acts.Release, step.ReleaseRequest{Ref: w.ref, Outcome: c.outcome, Changes: d.Changes})
			got, err := w.acts.Ledger.Deployment(t.Context(), "a", api.Component("agent"))
			if err != nil || got.Version != c.want {
				t.Errorf("the ledger says %q, %v", got.Version, err)
			}
			lease := w.server.All("Lease")[0].GetAnnotations()
			if lease["sluice.dev/state"] != "free" || lease["sluice.dev/digest"] != "target-"+c.want {
				t.Errorf("the Lease says %v", lease)
			}
		})
	}
}
