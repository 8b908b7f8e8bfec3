package patch

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"

	"sluice.dev/sluice/pipelines"
)

// drawObject makes a Deployment, CloneSet or custom resource out of few names and values, so that recorded, live and
// target often agree and often do not.
func drawObject(t *rapid.T, apiVersion, kind, who string) *unstructured.Unstructured {
	value := rapid.SampledFrom([]string{"1", "2", "3"})
	strings := func(label string) map[string]any {
		m := map[string]any{}
		for key, v := range rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c"}), value, 0, 3).Draw(t, who+label) {
			m[key] = v
		}
		return m
	}
	containers := []any{map[string]any{"name": "app", "image": value.Draw(t, who+"image")}}
	for _, name := range []string{"log", "mesh"} {
		if !rapid.Bool().Draw(t, who+name) {
			continue
		}
		c := map[string]any{"name": name, "image": value.Draw(t, who+name+"image")}
		if rapid.Bool().Draw(t, who+name+"args") {
			c["args"] = []any{value.Draw(t, who+"arg"), value.Draw(t, who+"arg")}
		}
		if rapid.Bool().Draw(t, who+name+"cpu") {
			c["resources"] = map[string]any{"limits": map[string]any{"cpu": rapid.SampledFrom([]string{"100m", "0.1", "1"}).Draw(t, who+"cpu")}}
		}
		containers = append(containers, c)
	}
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": apiVersion, "kind": kind,
		"metadata": map[string]any{"name": "a", "namespace": "ns", "labels": strings("labels")},
		"spec": map[string]any{"template": map[string]any{
			"metadata": map[string]any{"annotations": strings("annotations")},
			"spec":     map[string]any{"nodeSelector": strings("nodeSelector"), "containers": containers},
		}},
	}}
	if rapid.Bool().Draw(t, who+"replicas") {
		_ = unstructured.SetNestedField(object.Object, int64(rapid.IntRange(1, 3).Draw(t, who+"n")), "spec", "replicas")
	}
	return object
}

func TestComputeProperties(t *testing.T) {
	kinds := [][2]string{{"apps/v1", "Deployment"}, {"apps.kruise.io/v1alpha1", "CloneSet"}, {"example.com/v1", "Thing"}}
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom(kinds).Draw(t, "kind")
		triple := Triple{
			Recorded: drawObject(t, kind[0], kind[1], "recorded "),
			Live:     drawObject(t, kind[0], kind[1], "live "),
			Target:   drawObject(t, kind[0], kind[1], "target "),
		}
		if kind[1] == "Thing" {
			for _, o := range []*unstructured.Unstructured{triple.Recorded, triple.Live, triple.Target} {
				unstructured.RemoveNestedField(o.Object, "spec", "template", "spec", "containers")
			}
		}
		s := shapeOf(triple.Target)
		change, err := Compute(triple, Options{Component: "agent", Drift: pipelines.DriftOverwrite})
		if err != nil {
			t.Fatal(err)
		}
		result, err := s.canonical(change.Result, triple.Target.Object)
		if err != nil {
			t.Fatal(err)
		}
		target, err := s.canonical(triple.Target, triple.Live.Object)
		if err != nil {
			t.Fatal(err)
		}
		if !covers(target, result, s.merge) {
			t.Fatalf("the result %v lacks something of the target %v", result, target)
		}
		again, err := Compute(Triple{Recorded: triple.Target, Live: change.Result, Target: triple.Target}, Options{Component: "agent"})
		if err != nil || again.Action != Unchanged || len(again.Drift) > 0 {
			t.Fatalf("a second time is not unchanged: %v, drift %v, %s", err, again.Drift, again.Diff)
		}
		if kind[1] == "Thing" {
			return
		}
		live, err := s.canonical(triple.Live, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"log", "mesh"} {
			path := parsePointer(fmt.Sprintf("/spec/template/spec/containers/%s", name))
			theirs := lookup(triple.Recorded.Object, path, s.merge) == nil && lookup(triple.Target.Object, path, s.merge) == nil
			if theirs && !equal(lookup(live, path, s.merge), lookup(result, path, s.merge)) {
				t.Fatalf("container %s, which we never rendered, was changed: %v", name, change.Result.Object)
			}
		}
		kept, err := Compute(triple, Options{Component: "agent", Drift: pipelines.DriftKeep})
		if err != nil {
			t.Fatal(err)
		}
		after, err := s.canonical(kept.Result, live)
		if err != nil {
			t.Fatal(err)
		}
		for _, drift := range change.Drift {
			path := parsePointer(drift.Path)
			if lookup(triple.Target.Object, path[:len(path)-1], s.merge) == nil {
				continue // what it was part of is no longer rendered, and goes with it
			}
			if !equal(lookup(live, path, s.merge), lookup(after, path, s.merge)) {
				t.Fatalf("policy Keep has changed %s", drift.Path)
			}
		}
	})
}

func BenchmarkCompute(b *testing.B) {
	container := func(image string) map[string]any {
		return map[string]any{"name": "app", "image": image, "resources": map[string]any{"limits": map[string]any{"cpu": "100m"}}}
	}
	build := func(image string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "a", "namespace": "ns"},
			"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{container(image)}}}},
		}}
	}
	triple := Triple{Recorded: build("app:1"), Live: build("app:1"), Target: build("app:2")}
	for b.Loop() {
		if _, err := Compute(triple, Options{Component: "agent"}); err != nil {
			b.Fatal(err)
		}
	}
}
