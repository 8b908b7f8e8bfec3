package workload_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/workload"
)

func TestPodsStayOnlyWhereNothingMakesThemAnew(t *testing.T) {
	object := func(image string, change func(map[string]any)) *unstructured.Unstructured {
		o := map[string]any{
			"apiVersion": "apps/v1", "kind": "Deployment",
			"metadata": map[string]any{"name": "a", "namespace": "n", "generation": int64(2), "annotations": map[string]any{}},
			"spec": map[string]any{
				"replicas": int64(3), "template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"name": "a", "image": image}}}},
			},
			"status": map[string]any{"observedGeneration": int64(2), "replicas": int64(3), "updatedReplicas": int64(3)},
		}
		if change != nil {
			change(o)
		}
		return &unstructured.Unstructured{Object: o}
	}
	for _, c := range []struct {
		reason      string
		live, after *unstructured.Unstructured
		want        bool
	}{
		{"only the number of replicas changes", object("a:1", nil), object("a:1", func(o map[string]any) { o["spec"].(map[string]any)["replicas"] = int64(5) }), true},
		{"the image changes", object("a:1", nil), object("a:2", nil), false},
		{"it is not there yet", nil, object("a:1", nil), false},
		{"a pod is still at another template", object("a:1", func(o map[string]any) { o["status"].(map[string]any)["updatedReplicas"] = int64(2) }), object("a:1", nil), false},
		{"a node is still at another template", object("a:1", func(o map[string]any) {
			o["status"].(map[string]any)["desiredNumberScheduled"] = int64(4)
			o["status"].(map[string]any)["updatedNumberScheduled"] = int64(3)
		}), object("a:1", nil), false},
		{"the status is about an earlier spec", object("a:1", func(o map[string]any) { o["status"].(map[string]any)["observedGeneration"] = int64(1) }), object("a:1", nil), false},
		{"another run has left it half-way", object("a:1", func(o map[string]any) {
			o["metadata"].(map[string]any)["annotations"] = map[string]any{workload.HeldAnnotation: "{}"}
		}), object("a:1", nil), false},
	} {
		t.Run(c.reason, func(t *testing.T) {
			if got := workload.Stays(c.live, c.after); got != c.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
