package templates

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"
)

func bare(apiVersion, kind, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kind}}
	o.SetName(name)
	return o
}

func workload(apiVersion, kind, name string) *unstructured.Unstructured {
	o := bare(apiVersion, kind, name)
	o.Object["spec"] = map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"name": "c"}}}}}
	return o
}

func TestPhases(t *testing.T) {
	objects := []*unstructured.Unstructured{
		bare("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "hook"),
		bare("apiregistration.k8s.io/v1", "APIService", "api"),
		workload("apps/v1", "Deployment", "web"),
		workload("batch/v1", "Job", "job"),
		workload("apps/v1", "DaemonSet", "agent"),
		workload("apps.kruise.io/v1alpha1", "CloneSet", "clone"),
		bare("example.com/v1", "Thing", "thing"),
		bare("v1", "Service", "svc"),
		bare("v1", "ConfigMap", "config"),
		bare("scheduling.k8s.io/v1", "PriorityClass", "prio"),
		bare("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "binding"),
		bare("rbac.authorization.k8s.io/v1", "ClusterRole", "role"),
		bare("v1", "ServiceAccount", "account"),
		bare("apiextensions.k8s.io/v1", "CustomResourceDefinition", "crd"),
		bare("v1", "Namespace", "ns"),
	}
	want := []string{"ns", "crd", "account", "role", "binding", "prio", "config", "svc", "thing", "job", "clone", "web", "agent", "api", "hook"}
	got := []string{}
	for _, phase := range Phases(objects, []string{"CloneSet/clone", "Deployment/web"}) {
		for _, o := range phase.Objects {
			got = append(got, o.GetName())
		}
	}
	same(t, got, want, "what is referred to goes first; workloads as the component says, then the rest; webhooks last")
	same(t, objects[0].GetName(), "hook", "the list that was given keeps its order")

	after := Phases(objects, nil)[2]
	same(t, []any{string(after.Name), len(after.Objects)}, []any{"after-workloads", 2}, "what sends the API server to the workloads waits for them")
	same(t, Phases(objects, nil)[1].Objects[0].GetName(), "web", "without an order, the render's")
}

func TestPhasesKeepEveryObject(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kinds := []string{"Namespace", "ConfigMap", "Service", "Secret", "Thing", "Pod"}
		objects := []*unstructured.Unstructured{}
		for i := range rapid.IntRange(0, 20).Draw(t, "n") {
			kind := rapid.SampledFrom(kinds).Draw(t, "kind")
			objects = append(objects, bare("v1", kind, string(rune('a'+i))))
		}
		seen := map[*unstructured.Unstructured]int{}
		last := map[string]string{}
		for _, phase := range Phases(objects, nil) {
			for _, o := range phase.Objects {
				seen[o]++
				if o.GetName() < last[o.GetKind()] {
					t.Fatalf("%s %s comes after %s, which was rendered later", o.GetKind(), o.GetName(), last[o.GetKind()])
				}
				last[o.GetKind()] = o.GetName()
			}
		}
		for _, o := range objects {
			if seen[o] != 1 {
				t.Fatalf("%s is written %d times", Name(o), seen[o])
			}
		}
	})
}
