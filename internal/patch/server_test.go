package patch

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"pgregory.net/rapid"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/localtest"
	"sluice.dev/sluice/pipelines"
)

var stack localtest.Get

func TestMain(m *testing.M) {
	os.Exit(localtest.Main(m, []string{"a"}, 0, func(get localtest.Get) { stack = get }))
}

// thenAnnotation says in testdata/objects.yaml what an object is changed to.
const thenAnnotation = "sluice.dev/then"

// namespace is where namespaced objects of these tests go.
const namespace = "patch"

func server(t *testing.T) (context.Context, *kube.Cluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	pool := kube.NewPool(kube.Options{Kubeconfigs: []string{stack(t).Kubeconfig}})
	t.Cleanup(pool.Close)
	c, err := pool.Cluster(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Create(ctx, &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": namespace}}})
	if err != nil && fault.CodeOf(err) != fault.Conflict {
		t.Fatal(err)
	}
	return ctx, c
}

func objects(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	data, err := os.ReadFile("testdata/objects.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var list []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 1<<10)
	for {
		o := &unstructured.Unstructured{}
		err := decoder.Decode(o)
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, o)
	}
}

// then returns the object as its annotation says that it is changed.
func then(t *testing.T, o *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	out := o.DeepCopy()
	script := strings.ReplaceAll(o.GetAnnotations()[thenAnnotation], "0 2 * * *", "0\x002\x00*\x00*\x00*")
	m := shapeOf(o).merge
	for _, change := range strings.Fields(script) {
		path, text, _ := strings.Cut(change, "=")
		var value any
		if err := json.Unmarshal([]byte(strings.ReplaceAll(text, "\x00", " ")), &value); err != nil {
			t.Fatalf("%v in %s", err, change)
		}
		p := parsePointer(path)
		parent, ok := lookup(out.Object, p[:len(p)-1], m).(map[string]any)
		if !ok {
			t.Fatalf("there is no %s", p[:len(p)-1])
		}
		if f, isFloat := value.(float64); isFloat {
			value = int64(f)
		}
		parent[p[len(p)-1]] = value
	}
	return out
}

// create creates an object, once its kind is served.
func create(ctx context.Context, t *testing.T, c *kube.Cluster, o *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	for {
		live, err := c.Create(ctx, o)
		if err == nil {
			return live
		}
		if fault.CodeOf(err) != fault.NotFound || ctx.Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// TestOnAServer is where the API server has the last word on what is the same.
func TestOnAServer(t *testing.T) {
	ctx, c := server(t)
	for _, first := range objects(t) {
		t.Run(first.GetKind()+"/"+first.GetName(), func(t *testing.T) {
			mapping := mappingOf(ctx, t, c, first.GroupVersionKind())
			if mapping.Namespaced {
				first.SetNamespace(namespace)
			}
			live := create(ctx, t, c, first)
			t.Cleanup(func() {
				if first.GetKind() != "CustomResourceDefinition" {
					_ = c.Delete(context.Background(), first.GroupVersionKind(), first.GetNamespace(), first.GetName(), "")
				}
			})
			rest := compute(t, Triple{Recorded: first, Live: live, Target: first}, Options{})
			same(t, rest.Action, Unchanged, "what the API server has made of it is no difference: "+rest.Diff)
			same(t, rest.Drift, []FieldChange(nil), "nor drift")

			second := then(t, first)
			change, stored := roll(ctx, t, c, first, second)
			same(t, change.Action, Patch, "it changes")
			same(t, change.Drift, []FieldChange(nil), "nobody else has changed it")
			s := shapeOf(second)
			want, err := s.canonical(change.Result, nil)
			if err != nil {
				t.Fatal(err)
			}
			unstructured.RemoveNestedField(want, "metadata", "annotations", "deprecated.daemonset.template.generation")
			got, err := s.canonical(stored, want)
			if err != nil {
				t.Fatal(err)
			}
			if !covers(want, got, s.merge) {
				w := &fieldWalk{masked: maskOf(second)}
				w.maps(nil, s.merge, want, got)
				t.Errorf("the API server has stored something else than Result says:\n%s", fieldsText(w))
			}
			again := compute(t, Triple{Recorded: second, Live: stored, Target: second}, Options{})
			same(t, again.Action, Unchanged, "once it is done, nothing is left to do: "+again.Diff)
			same(t, again.Drift, []FieldChange(nil), "and there is no drift")

			_, returned := roll(ctx, t, c, second, first)
			same(t, compute(t, Triple{Recorded: first, Live: returned, Target: first}, Options{}).Action, Unchanged, "the way back leads back")
		})
	}
}

func mappingOf(ctx context.Context, t *testing.T, c *kube.Cluster, kind schema.GroupVersionKind) kube.Mapping {
	t.Helper()
	for {
		mapping, err := c.Mapping(ctx, kind)
		if err == nil {
			return mapping
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func exceptAll(o *unstructured.Unstructured) []pipelines.Exception {
	var list []pipelines.Exception
	for _, r := range Rules() {
		list = append(list, pipelines.Exception{Rule: string(r.Rule), Object: o.GetKind() + "/" + o.GetName(), Reason: "a test"})
	}
	return list
}

// roll changes what is stored from one render to another. Controllers write status meanwhile: a conflict is looked at again.
func roll(ctx context.Context, t *testing.T, c *kube.Cluster, recorded, target *unstructured.Unstructured) (Change, *unstructured.Unstructured) {
	t.Helper()
	for {
		live, err := c.Get(ctx, target.GroupVersionKind(), target.GetNamespace(), target.GetName())
		if err != nil {
			t.Fatal(err)
		}
		change := compute(t, Triple{Recorded: recorded, Live: live, Target: target}, Options{Drift: pipelines.DriftOverwrite, Exceptions: exceptAll(target)})
		if change.Action == Unchanged {
			return change, live
		}
		body, err := WithVersion(change.Patch, change.LiveVersion)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := c.Patch(ctx, target.GroupVersionKind(), target.GetNamespace(), target.GetName(), change.PatchType, body)
		if err == nil {
			return change, stored
		}
		if fault.CodeOf(err) != fault.Conflict || ctx.Err() != nil {
			t.Fatalf("%v\n%s", err, change.Patch)
		}
	}
}

// TestAgainstKubectl compares what our patches leave with what kubectl apply leaves, for drawn triples.
func TestAgainstKubectl(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: kubectl is slow to start")
	}
	ctx, c := server(t)
	number := 0
	draw := rapid.Custom(func(t *rapid.T) Triple {
		return Triple{
			Recorded: drawObject(t, "apps/v1", "Deployment", "recorded "),
			Live:     drawObject(t, "apps/v1", "Deployment", "live "),
			Target:   drawObject(t, "apps/v1", "Deployment", "target "),
		}
	})
	const triples = 8
	for seed := range triples {
		triple := draw.Example(seed)
		var left []map[string]any
		for _, who := range []string{"ours", "kubectl"} {
			number++
			name := fmt.Sprintf("%s-%d", who, number)
			for _, o := range []*unstructured.Unstructured{triple.Recorded, triple.Live, triple.Target} {
				o.SetName(name)
				o.SetNamespace(namespace)
				_ = unstructured.SetNestedStringMap(o.Object, map[string]string{"app": "a"}, "spec", "selector", "matchLabels")
				_ = unstructured.SetNestedField(o.Object, "a", "spec", "template", "metadata", "labels", "app")
				_ = unstructured.SetNestedField(o.Object, true, "spec", "paused")
			}
			apply := func(o *unstructured.Unstructured) {
				data, err := json.Marshal(o.Object)
				if err != nil {
					t.Fatal(err)
				}
				command := stack(t).Command(ctx, "kubectl", "--cluster", stack(t).Names[0], "apply", "-f", "-")
				command.Stdin = bytes.NewReader(data)
				if out, err := command.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			if who == "kubectl" {
				apply(triple.Recorded)
			} else {
				create(ctx, t, c, triple.Recorded)
			}
			edit(ctx, t, c, triple.Live)
			if who == "kubectl" {
				apply(triple.Target)
			} else {
				roll(ctx, t, c, triple.Recorded, triple.Target)
			}
			stored, err := c.Get(ctx, triple.Target.GroupVersionKind(), namespace, name)
			if err != nil {
				t.Fatal(err)
			}
			stored.SetAnnotations(nil)
			stored.SetName("a")
			left = append(left, spec(stored).Object)
			if err := c.Delete(ctx, stored.GroupVersionKind(), namespace, name, ""); err != nil {
				t.Fatal(err)
			}
		}
		same(t, left[0], left[1], fmt.Sprintf("seed %d: what is left is what kubectl leaves", seed))
	}
}

// edit makes the spec of what is stored what somebody else wants, with everything that the API server has added.
func edit(ctx context.Context, t *testing.T, c *kube.Cluster, wanted *unstructured.Unstructured) {
	t.Helper()
	for {
		stored, err := c.Get(ctx, wanted.GroupVersionKind(), wanted.GetNamespace(), wanted.GetName())
		if err != nil {
			t.Fatal(err)
		}
		next := stored.DeepCopy()
		next.SetLabels(wanted.GetLabels())
		next.Object["spec"] = wanted.DeepCopy().Object["spec"]
		if _, err = c.Update(ctx, next); err == nil {
			return
		}
		if fault.CodeOf(err) != fault.Conflict {
			t.Fatal(err)
		}
	}
}
