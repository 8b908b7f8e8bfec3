package cluster

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/step"
)

// mounting is a DaemonSet whose pods mount a ConfigMap, which goes under a name with its digest.
func mounting(config string) string {
	return fmt.Sprintf(`{"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "agent", "namespace": %q}, "spec": {
		"selector": {"matchLabels": {"app": "agent"}}, "template": {"metadata": {"labels": {"app": "agent"}}, "spec": {
			"containers": [{"name": "main", "image": "registry.example/agent:1"}],
			"volumes": [{"name": "c", "configMap": {"name": %q}}]}}}}`, namespace, config)
}

// configs are the digest-named ConfigMaps of a world by the value that they hold.
func (w *world) configs() map[string]string {
	out := map[string]string{}
	for _, o := range w.server.All("ConfigMap") {
		value, _, _ := unstructured.NestedString(o.Object, "data", "key")
		out[value] = "ConfigMap/" + o.GetNamespace() + "/" + o.GetName()
	}
	return out
}

// forget takes a value's ConfigMap out of all pod templates that controllers keep.
func (w *world) forget(names ...string) {
	for _, r := range w.server.All("ControllerRevision") {
		text, err := r.MarshalJSON()
		if err != nil {
			w.Fatal(err)
		}
		for _, name := range names {
			text = []byte(strings.ReplaceAll(string(text), name[strings.LastIndex(name, "/")+1:], "elsewhere"))
		}
		w.server.Put(parsed(w.T, string(text)))
	}
}

func TestConfigurationThatNothingNeedsIsPruned(t *testing.T) {
	w := newWorld(t)
	for _, v := range []string{"1", "2", "3", "4"} {
		w.planned(v, []string{mounting("config"), configMap("config", "value "+v)})
		if v == "4" {
			break
		}
		w.rollout()
	}
	all := w.configs()
	w.lock()
	d := w.diff()
	if want := []string{all["value 1"], all["value 2"]}; !slices.Equal(d.Left, want) {
		t.Fatalf("earlier versions left %q, want %q: 3 is the way back, and 4 comes", d.Left, want)
	}
	if !slices.ContainsFunc(d.Cluster.Notes, func(n string) bool { return strings.Contains(n, all["value 1"]) && strings.Contains(n, "prune: true") }) {
		t.Errorf("the plan notes %q", d.Cluster.Notes)
	}
	must(w, w.acts.Apply, step.ApplyRequest{Ref: w.ref, Changes: d.Changes})
	prune := func(remove bool) step.PruneResult {
		return must(w, w.acts.Prune, step.PruneRequest{Ref: w.ref, Objects: d.Left, Delete: remove})
	}

	if got := prune(true); len(got.Pruned)+len(got.Unneeded) > 0 {
		t.Errorf("pruned %+v: the controller keeps pod templates that name them", got)
	}
	w.forget(all["value 1"])
	if got := prune(false); !slices.Equal(got.Unneeded, []string{all["value 1"]}) || len(got.Pruned) > 0 || w.configs()["value 1"] == "" {
		t.Errorf("without an order to, it lists what nothing needs, and takes nothing away: %+v", got)
	}
	if got := prune(true); !slices.Equal(got.Pruned, []string{all["value 1"]}) || w.configs()["value 1"] != "" || w.configs()["value 2"] == "" {
		t.Errorf("pruned %+v, and left %v", got, w.configs())
	}
	if got := prune(true); len(got.Pruned) > 0 {
		t.Errorf("the second time it pruned %+v", got)
	}
	if again := w.diff(); !slices.Equal(again.Left, []string{all["value 2"]}) {
		t.Errorf("what was pruned is still looked for: %q", again.Left)
	}
}

func TestWhatIsNotSluicesIsNotPruned(t *testing.T) {
	w := newWorld(t)
	for _, v := range []string{"1", "2", "3"} {
		w.planned(v, []string{mounting("config"), configMap("config", "value "+v)})
		if v != "3" {
			w.rollout()
		}
	}
	first := w.configs()["value 1"]
	w.forget(first)
	o := w.object("v1", "ConfigMap", first[strings.LastIndex(first, "/")+1:])
	w.lock()
	if d := w.diff(); !slices.Equal(d.Left, []string{first}) {
		t.Fatalf("left %q", d.Left)
	}
	for reason, change := range map[string]func(*unstructured.Unstructured){
		"another component has taken the name": func(o *unstructured.Unstructured) {
			o.SetAnnotations(map[string]string{"sluice.dev/component": "other", "sluice.dev/base-name": "config"})
		},
		"somebody has made it anew": func(o *unstructured.Unstructured) { o.SetAnnotations(nil) },
	} {
		live := w.server.Object(o)
		kept := live.DeepCopy()
		change(live)
		w.server.Put(live)
		if got := must(w, w.acts.Prune, step.PruneRequest{Ref: w.ref, Objects: []string{first}, Delete: true}); len(got.Pruned) > 0 {
			t.Errorf("pruned %q, and %s", got.Pruned, reason)
		}
		w.server.Put(kept)
	}
	for _, name := range []string{"DaemonSet/apps/agent", "ConfigMap/x", "Namespace/a/b"} {
		if _, err := attempt(w, kube.Try{Step: 1, Attempt: 1}, w.acts.Prune, step.PruneRequest{Ref: w.ref, Objects: []string{name}, Delete: true}); err == nil {
			t.Errorf("it was asked to prune %s, and said nothing", name)
		}
	}
}
