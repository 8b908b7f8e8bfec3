package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/change"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines"
)

// webhook is a configuration that refuses what nobody answers for.
func webhook(name, policy string) string {
	return fmt.Sprintf(`{"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": %q},
		"webhooks": [{"name": "guard.agent.example", "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": %q,
		"clientConfig": {"service": {"name": "nobody", "namespace": %q}}, "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}]}]}`,
		name, policy, namespace)
}

// atOnce lets configuration through that no pod template names.
func atOnce(p *plan.Plan) {
	for _, name := range []string{"a", "b"} {
		p.Exceptions = append(p.Exceptions, pipelines.Exception{Rule: "reaches-at-once", Object: "ConfigMap/" + name, Reason: "a test"})
	}
}

// bring does what a unit does up to its end, but neither records it nor gives the Lease back.
func (w *world) bring() step.DiffResult {
	w.Helper()
	w.lock()
	d := w.diff()
	if len(d.Cluster.Refusals) > 0 {
		w.Fatalf("refused: %+v", d.Cluster.Refusals)
	}
	must(w, w.acts.Apply, step.ApplyRequest{Ref: w.ref, Changes: d.Changes})
	w.states = map[string]goal.State{}
	for _, load := range d.Cluster.Workloads {
		state := must(w, w.acts.Prepare, w.about(d, load.Object, goal.State{}))
		must(w, w.acts.Advance, w.batch(d, load.Object, state, 1, pipelines.Percent(100)))
		w.states[load.Object] = must(w, w.acts.Finish, w.about(d, load.Object, state))
	}
	must(w, w.acts.Apply, step.ApplyRequest{Ref: w.ref, Changes: d.Changes, After: true})
	return d
}

// wayBack is how a unit goes back: in its open run, or by a run of its own after the first has closed.
type wayBack struct {
	name string
	take func(w *world, d step.DiffResult) (kept []string)
}

func waysBack() []wayBack {
	return []wayBack{{"open", (*world).backOpen}, {"closed", (*world).backClosed}}
}

func (w *world) backOpen(d step.DiffResult) []string {
	w.Helper()
	kept := must(w, w.acts.Unapply, step.ApplyRequest{Ref: w.ref, Changes: d.Changes, After: true}).Kept
	for _, load := range slices.Backward(d.Cluster.Workloads) {
		seen := must(w, w.acts.Revert, w.batch(d, load.Object, w.states[load.Object], 1, pipelines.Percent(100)))
		if seen.Stays != "" {
			return append(kept, seen.Stays)
		}
		req := w.about(d, load.Object, w.states[load.Object])
		req.Revert = true
		must(w, w.acts.Finish, req)
	}
	kept = append(kept, must(w, w.acts.Unapply, step.ApplyRequest{Ref: w.ref, Changes: d.Changes}).Kept...)
	must(w, w.acts.Release, step.ReleaseRequest{Ref: w.ref, Outcome: api.PhaseRolledBack, Changes: d.Changes})
	return kept
}

func (w *world) backClosed(d step.DiffResult) []string {
	w.Helper()
	must(w, w.acts.Release, step.ReleaseRequest{Ref: w.ref, Outcome: api.PhaseSucceeded, Changes: d.Changes})
	of := w.ref.Run
	w.ref = w.begin(ledger.Run{Back: of})
	w.ref.Back, w.ref.BackOf = true, of
	w.server.Writes()
	w.lock()
	d = w.diff()
	if len(d.Cluster.Refusals) > 0 {
		w.Fatalf("the way back is refused: %+v", d.Cluster.Refusals)
	}
	w.server.Writes()
	kept := must(w, w.acts.Apply, step.ApplyRequest{Ref: w.ref, Changes: d.Changes}).Kept
	for _, load := range d.Cluster.Workloads {
		state := must(w, w.acts.Prepare, w.about(d, load.Object, goal.State{}))
		must(w, w.acts.Advance, w.batch(d, load.Object, state, 1, pipelines.Percent(100)))
		must(w, w.acts.Finish, w.about(d, load.Object, state))
	}
	kept = append(kept, must(w, w.acts.Apply, step.ApplyRequest{Ref: w.ref, Changes: d.Changes, After: true}).Kept...)
	must(w, w.acts.Release, step.ReleaseRequest{Ref: w.ref, Outcome: api.PhaseRolledBack, Changes: d.Changes})
	return kept
}

// first is what was written first of everything but Leases.
func first(writes []kubetest.Write) string {
	for _, write := range writes {
		if !strings.Contains(write.Object, "Lease/") {
			return write.String()
		}
	}
	return ""
}

func field(o *unstructured.Unstructured, path ...string) any {
	if o == nil {
		return "gone"
	}
	value, _, _ := unstructured.NestedFieldNoCopy(o.Object, path...)
	return value
}

func (w *world) is(got, want any, what string) {
	w.Helper()
	if got != want {
		w.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestAFirstInstallationIsTakenAwayWithItsWebhookFirst(t *testing.T) {
	const crd = `{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "things.example.com"},
		"spec": {"group": "example.com", "scope": "Namespaced", "names": {"kind": "Thing", "plural": "things"}, "versions": []}}`
	for _, way := range waysBack() {
		t.Run(way.name, func(t *testing.T) {
			w := newWorld(t)
			w.planned("1.0.0", []string{crd, configMap("a", "1"), load("DaemonSet", "agent", "1"), load("Deployment", "other", "1"), webhook("guard", "Fail")})
			d := w.bring()
			w.is(d.Cluster.WayBack, plan.Removed, "the way back")
			w.server.Writes()
			kept := way.take(w, d)
			w.is(first(w.server.Writes()), "delete ValidatingWebhookConfiguration/guard", "what is written first")
			for _, kind := range []string{"ValidatingWebhookConfiguration", "DaemonSet", "Deployment", "ConfigMap"} {
				if left := w.server.All(kind); len(left) > 0 {
					w.Errorf("%s %s is left", kind, left[0].GetName())
				}
			}
			w.is(strings.Join(kept, "; "), "CustomResourceDefinition/things.example.com", "what stays")
			w.is(w.present(), plan.WayBack{}, "what the ledger says")
			if w.object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "things.example.com") == nil {
				w.Error("the CRD is gone, and all that was stored with it")
			}
		})
	}
}

func TestWhatWasFoundGetsBackWhatWasChangedOfIt(t *testing.T) {
	for _, way := range waysBack() {
		for _, kind := range []string{"DaemonSet", "Deployment"} {
			t.Run(way.name+" "+kind, func(t *testing.T) {
				w := newWorld(t)
				for _, text := range []string{
					load(kind, "agent", "0"), webhook("guard", "Ignore"),
					`{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "apps"}, "data": {"key": "old", "theirs": "kept"}}`,
				} {
					w.server.Put(parsed(t, text))
				}
				w.planned("1.0.0", []string{configMap("a", "new"), configMap("b", "made"), load(kind, "agent", "1"), webhook("guard", "Fail")}, func(p *plan.Plan) {
					p.Exceptions = []pipelines.Exception{{Rule: "webhook-fail-closed", Object: "ValidatingWebhookConfiguration/guard", Reason: "a test"}}
				}, atOnce)
				d := w.bring()
				w.is(d.Cluster.WayBack, plan.AsFound, "the way back")
				for _, name := range []string{"ConfigMap a", kind + " agent"} {
					parts := strings.Fields(name)
					version := map[string]string{"ConfigMap": "v1"}[parts[0]]
					if version == "" {
						version = "apps/v1"
					}
					o := w.object(version, parts[0], parts[1])
					o.SetLabels(map[string]string{"team": "theirs"})
					w.server.Put(o)
				}
				w.server.Writes()
				if kept := way.take(w, d); len(kept) > 0 {
					w.Errorf("kept %v", kept)
				}
				w.is(first(w.server.Writes()), "patch ValidatingWebhookConfiguration/guard", "what is written first")
				cm, agent := w.object("v1", "ConfigMap", "a"), w.object("apps/v1", kind, "agent")
				w.is(field(cm, "data", "key"), "old", "what we changed")
				w.is(field(cm, "data", "theirs"), "kept", "what we never said")
				w.is(field(cm, "metadata", "labels", "team"), "theirs", "what somebody added since")
				w.is(len(cm.GetAnnotations()), 0, "the number of our annotations")
				hook := w.object("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "guard")
				w.is(hook.Object["webhooks"].([]any)[0].(map[string]any)["failurePolicy"], "Ignore", "the webhook")
				w.is(w.object("v1", "ConfigMap", "b") == nil, true, "that what was made is gone")
				containers, _, _ := unstructured.NestedSlice(agent.Object, "spec", "template", "spec", "containers")
				w.is(containers[0].(map[string]any)["image"], "registry.example/agent:0", "the image")
				w.is(field(agent, "metadata", "labels", "team"), "theirs", "what somebody added to the workload since")
				w.is(len(agent.GetAnnotations()), 0, "the number of annotations of the workload")
				w.is(field(agent, "spec", "paused"), nil, "whether it is paused")
				for _, pod := range w.server.All("Pod") {
					containers, _, _ := unstructured.NestedSlice(pod.Object, "spec", "containers")
					w.is(containers[0].(map[string]any)["image"], "registry.example/agent:0", "the image of "+pod.GetName())
				}
			})
		}
	}
}

func TestAnObjectThatAVersionAdoptsGoesBackToWhatItWas(t *testing.T) {
	for _, way := range waysBack() {
		t.Run(way.name, func(t *testing.T) {
			w := newWorld(t)
			failsClosed := func(p *plan.Plan) {
				p.Exceptions = append(p.Exceptions, pipelines.Exception{Rule: "webhook-fail-closed", Object: "ValidatingWebhookConfiguration/guard", Reason: "a test"})
			}
			w.planned("1.0.0", []string{configMap("a", "1"), load("DaemonSet", "agent", "1"), webhook("guard", "Ignore")})
			w.rollout()
			for _, text := range []string{configMap("b", "by hand"), load("Deployment", "other", "0")} {
				w.server.Put(parsed(t, text))
			}
			w.planned("2.0.0", []string{configMap("a", "2"), configMap("b", "2"), load("DaemonSet", "agent", "2"), load("Deployment", "other", "2"), webhook("guard", "Fail")}, atOnce, failsClosed)
			d := w.bring()
			w.server.Writes()
			if kept := way.take(w, d); len(kept) > 0 {
				w.Errorf("kept %v", kept)
			}
			w.is(first(w.server.Writes()), "patch ValidatingWebhookConfiguration/guard", "what is written first")
			w.is(field(w.object("v1", "ConfigMap", "a"), "data", "key"), "1", "what is recorded")
			w.is(field(w.object("v1", "ConfigMap", "b"), "data", "key"), "by hand", "what was found")
			containers, _, _ := unstructured.NestedSlice(w.object("apps/v1", "Deployment", "other").Object, "spec", "template", "spec", "containers")
			w.is(containers[0].(map[string]any)["image"], "registry.example/other:0", "the workload that was found")
			w.is(w.present().Version, "1.0.0", "what the ledger says")
			objects, err := change.Objects(t.Context(), w.acts.Ledger, w.present().Objects)
			if err != nil || slices.ContainsFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetName() == "b" || o.GetName() == "other" }) {
				w.Errorf("it records what was found, %v", err)
			}
		})
	}
}

func TestASecondRunGoesBackToWhatTheFirstFound(t *testing.T) {
	w := newWorld(t)
	w.server.Put(parsed(t, configMap("a", "by hand")), parsed(t, load("DaemonSet", "agent", "0")))
	w.planned("1.0.0", []string{configMap("a", "1"), configMap("only-1", "1"), load("DaemonSet", "agent", "1"), load("Deployment", "other", "1")}, atOnce)
	d := w.bring()
	must(w, w.acts.Release, step.ReleaseRequest{Ref: w.ref, Outcome: api.PhaseAborted, Changes: d.Changes})
	w.planned("2.0.0", []string{configMap("a", "2"), load("DaemonSet", "agent", "2"), load("Deployment", "other", "2")}, atOnce)
	d = w.bring()
	w.is(d.Cluster.WayBack, plan.AsFound, "the way back")
	if kept := w.backOpen(d); len(kept) > 0 {
		w.Errorf("kept %v", kept)
	}
	w.is(field(w.object("v1", "ConfigMap", "a"), "data", "key"), "by hand", "what was found")
	for _, o := range append(w.server.All("ConfigMap"), w.server.All("Deployment")...) {
		if o.GetName() != "a" {
			w.Errorf("%s %s is left of the run that was given up", o.GetKind(), o.GetName())
		}
	}
	containers, _, _ := unstructured.NestedSlice(w.object("apps/v1", "DaemonSet", "agent").Object, "spec", "template", "spec", "containers")
	w.is(containers[0].(map[string]any)["image"], "registry.example/agent:0", "the workload that was found")

	w.server.Put(parsed(t, configMap("a", "by hand again")))
	w.planned("3.0.0", []string{configMap("a", "3")})
	d = w.bring()
	w.backOpen(d)
	w.is(field(w.object("v1", "ConfigMap", "a"), "data", "key"), "by hand again", "after a way back to its end, the next run finds what is there then")
}

// lapse is a ledger that stops at one of its calls, as a process that is killed there.
type lapse struct {
	ledger.Ledger
	write func(ledger.Write) bool
}

var errKilled = errors.New("killed")

func (l *lapse) SaveWrite(ctx context.Context, w ledger.Write) error {
	if l.write != nil && l.write(w) {
		return errKilled
	}
	return l.Ledger.SaveWrite(ctx, w)
}

func TestAKillBetweenPreImageAndWriteChangesNoWayBack(t *testing.T) {
	for _, c := range []struct {
		reason string
		write  func(ledger.Write) bool // at which the process is killed
	}{
		{"before the intent", func(w ledger.Write) bool { return w.UID == "" }},
		{"after the write, before its outcome", func(w ledger.Write) bool { return w.UID != "" }},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t)
			w.server.Put(parsed(t, configMap("found", "by hand")))
			w.planned("1.0.0", []string{configMap("found", "1"), configMap("made", "1")})
			whole := w.ledger
			w.lock()
			d := w.diff()
			for _, name := range []string{"found", "made"} {
				over := false
				w.acts.Ledger = &lapse{whole, func(write ledger.Write) bool {
					if over || !strings.HasSuffix(write.Object, "/"+name) || !c.write(write) {
						return false
					}
					over = true
					return true
				}}
				if _, err := attempt(w, kube.Try{Step: 1, Attempt: 1}, w.acts.Apply, step.ApplyRequest{Ref: w.ref, Changes: d.Changes}); !errors.Is(err, errKilled) {
					t.Fatalf("it was not killed at %s: %v", name, err)
				}
			}
			w.acts.Ledger = whole
			must(w, w.acts.Apply, step.ApplyRequest{Ref: w.ref, Changes: d.Changes})
			w.backOpen(d)
			w.is(field(w.object("v1", "ConfigMap", "found"), "data", "key"), "by hand", "what was found")
			w.is(w.object("v1", "ConfigMap", "made") == nil, true, "that what was made is gone")
		})
	}
}

func TestWhatCannotBeGivenBackStaysAndIsListed(t *testing.T) {
	someones := func(name string) *unstructured.Unstructured {
		return parsed(t, `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "`+name+`", "namespace": "apps"}, "data": {"key": "somebody's"}}`)
	}
	for _, c := range []struct {
		reason    string
		meanwhile func(w *world)
		says      string
		key       any // in the end
	}{
		{"it became immutable", func(w *world) {
			o := w.object("v1", "ConfigMap", "a")
			o.Object["immutable"] = true
			w.server.Put(o)
		}, "/data changes", "1"},
		{"the API server does not take it", func(w *world) {
			w.server.Before = func(write kubetest.Write) int {
				if write.String() == "patch ConfigMap/a" {
					return http.StatusUnprocessableEntity
				}
				return 0
			}
		}, "refused by the test", "1"},
		{"somebody deleted it", func(w *world) { w.server.Delete(someones("a")) }, "somebody else deleted it", "gone"},
		{"somebody made it anew", func(w *world) { w.server.Delete(someones("a")); w.server.Put(someones("a")) }, "another one has taken its place", "somebody's"},
	} {
		for _, way := range waysBack() {
			t.Run(c.reason+", "+way.name, func(t *testing.T) {
				w := newWorld(t)
				w.server.Put(parsed(t, configMap("a", "by hand")), parsed(t, configMap("b", "by hand")))
				w.planned("1.0.0", []string{configMap("a", "1"), configMap("b", "1")})
				d := w.bring()
				c.meanwhile(w)
				kept := way.take(w, d)
				if len(kept) != 1 || !strings.HasPrefix(kept[0], "ConfigMap/apps/a (") || !strings.Contains(kept[0], c.says) {
					t.Errorf("listed is %q", kept)
				}
				w.is(field(w.object("v1", "ConfigMap", "a"), "data", "key"), c.key, "what stays")
				w.is(field(w.object("v1", "ConfigMap", "b"), "data", "key"), "by hand", "the other")
			})
		}
	}
}

func TestAnObjectOfTheSameNameIsNotTakenAway(t *testing.T) {
	for _, way := range waysBack() {
		for reason, known := range map[string]bool{"its UID is another": true, "its UID was never written down, and it is not the component's": false} {
			t.Run(way.name+": "+reason, func(t *testing.T) {
				w := newWorld(t)
				w.planned("1.0.0", []string{configMap("a", "1"), configMap("b", "1")})
				d := w.bring()
				if !known {
					for _, write := range written(t, w) {
						write.UID = ""
						if err := w.acts.Ledger.SaveWrite(t.Context(), write); err != nil {
							t.Fatal(err)
						}
					}
				}
				w.server.Delete(w.object("v1", "ConfigMap", "a"))
				w.server.Put(parsed(t, configMap("a", "somebody's")))
				way.take(w, d)
				w.is(field(w.object("v1", "ConfigMap", "a"), "data", "key"), "somebody's", "what has the name now")
				w.is(w.object("v1", "ConfigMap", "b") == nil, true, "that what was made is gone")
			})
		}
	}
}

func written(t *testing.T, w *world) []ledger.Write {
	t.Helper()
	writes, err := w.acts.Ledger.ListWrites(t.Context(), w.ref.Run, "a")
	if err != nil {
		t.Fatal(err)
	}
	return writes
}

// blind is a ledger from before pre-images were kept.
type blind struct{ ledger.Ledger }

func (blind) SavePreImage(context.Context, ledger.PreImage) error { return nil }

func (blind) ListPreImages(context.Context, string, string, api.Subject) ([]ledger.PreImage, error) {
	return nil, nil
}

func TestAWorkloadThatSomebodyMadeAnewStays(t *testing.T) {
	for _, way := range waysBack() {
		t.Run(way.name, func(t *testing.T) {
			w := newWorld(t)
			w.server.Put(parsed(t, load("DaemonSet", "agent", "0")))
			w.planned("1.0.0", []string{load("DaemonSet", "agent", "1")})
			d := w.bring()
			w.server.Delete(w.object("apps/v1", "DaemonSet", "agent"))
			w.server.Put(parsed(t, load("DaemonSet", "agent", "7")))
			kept := way.take(w, d)
			if way.name == "open" && (len(kept) != 1 || kept[0] != "DaemonSet/apps/agent (another one has taken its place)") {
				t.Errorf("listed is %q", kept)
			}
			containers, _, _ := unstructured.NestedSlice(w.object("apps/v1", "DaemonSet", "agent").Object, "spec", "template", "spec", "containers")
			w.is(containers[0].(map[string]any)["image"], "registry.example/agent:7", "what has the name now")
		})
	}
}

func TestWhatWasWrittenBeforePreImagesWereKeptIsNotTakenForFound(t *testing.T) {
	w := newWorld(t)
	w.server.Put(parsed(t, configMap("a", "by hand")))
	w.planned("1.0.0", []string{configMap("a", "1")})
	w.lock()
	d := w.diff()
	whole := w.ledger
	w.acts.Ledger = blind{whole}
	must(w, w.acts.Apply, step.ApplyRequest{Ref: w.ref, Changes: d.Changes})
	w.acts.Ledger = whole
	must(w, w.acts.Apply, step.ApplyRequest{Ref: w.ref, Changes: d.Changes})
	images, err := whole.ListPreImages(t.Context(), w.ref.Run, "a", api.Component("agent"))
	if err != nil || slices.ContainsFunc(images, func(p ledger.PreImage) bool { return strings.HasSuffix(p.Object, "/a") }) {
		t.Errorf("our own work is kept as what was found: %+v, %v", images, err)
	}
}

func TestARetryKeepsTheUIDThatWasMade(t *testing.T) {
	w := newWorld(t)
	w.planned("1.0.0", []string{configMap("a", "1")})
	w.lock()
	d := w.diff()
	must(w, w.acts.Apply, step.ApplyRequest{Ref: w.ref, Changes: d.Changes})
	whole := w.ledger
	w.acts.Ledger = &lapse{whole, func(write ledger.Write) bool {
		return write.ResourceVersion != "" && strings.HasSuffix(write.Object, "/a")
	}}
	if _, err := attempt(w, kube.Try{Step: 1, Attempt: 1}, w.acts.Apply, step.ApplyRequest{Ref: w.ref, Changes: d.Changes}); !errors.Is(err, errKilled) {
		t.Fatalf("it was not killed: %v", err)
	}
	w.acts.Ledger = whole
	restored := w.object("v1", "ConfigMap", "a")
	w.server.Delete(restored)
	restored.SetUID("")
	restored.Object["data"] = map[string]any{"key": "from a backup"}
	w.server.Put(restored)
	w.backOpen(d)
	w.is(field(w.object("v1", "ConfigMap", "a"), "data", "key"), "from a backup", "what somebody brought back, with our annotation")
}

func TestAWorkloadOfWhichNobodyKnowsWhatItWasStays(t *testing.T) {
	w := newWorld(t)
	w.server.Put(parsed(t, load("DaemonSet", "agent", "0")))
	w.planned("1.0.0", []string{configMap("a", "1"), load("DaemonSet", "agent", "1")})
	whole := w.ledger
	w.acts.Ledger = blind{whole}
	d := w.bring()
	for _, rev := range w.server.All("ControllerRevision") {
		if !strings.Contains(fmt.Sprint(rev.Object["data"]), "agent:1") {
			w.server.Delete(rev)
		}
	}
	w.acts.Ledger = whole
	w.acts.Clusters = w.server.Pool() // a worker that has seen nothing of before
	kept := w.backOpen(d)
	if len(kept) != 1 || !strings.Contains(kept[0], "its controller does not keep what it was before; 4 of 4 pods are at what this run wrote") {
		t.Errorf("listed is %q", kept)
	}
	w.is(w.object("v1", "ConfigMap", "a") != nil, true, "that what its pods need is there")

	must(w, w.acts.Release, step.ReleaseRequest{Ref: w.ref, Outcome: api.PhaseFailed, Changes: d.Changes})
	of := w.ref.Run
	w.ref = w.begin(ledger.Run{Back: of})
	w.ref.Back, w.ref.BackOf = true, of
	w.lock()
	if d := w.diff(); len(d.Cluster.Refusals) != 1 || d.Cluster.Refusals[0].Rule != api.RuleUnknown {
		t.Errorf("a run that takes it back is refused by %+v", d.Cluster.Refusals)
	}
}

func TestAWayBackThatTheComponentForbidsIsRefused(t *testing.T) {
	w := newWorld(t)
	w.planned("1.0.0", []string{configMap("a", "1")}, func(p *plan.Plan) { p.Rollback = pipelines.RollbackNever })
	d := w.rollout()
	w.is(d.Cluster.WayBack, "", "the way back")
	of := w.ref.Run
	w.ref = w.begin(ledger.Run{Back: of})
	w.ref.Back, w.ref.BackOf = true, of
	w.lock()
	if _, err := attempt(w, kube.Try{Step: 1, Attempt: 1}, w.acts.Diff, step.DiffRequest{Ref: w.ref}); fault.CodeOf(err) != fault.Refused {
		t.Errorf("it says %v", err)
	}
}
