package podkind_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/templates/podkind"
)

func TestWhatMakesPods(t *testing.T) {
	containers := map[string]any{"spec": map[string]any{"containers": []any{}}}
	cases := map[string]struct {
		object map[string]any
		want   bool
		reason string
	}{
		"Deployment": {map[string]any{"apiVersion": "apps/v1", "kind": "Deployment"}, true, "also where its template is empty"},
		"CronJob":    {map[string]any{"apiVersion": "batch/v1", "kind": "CronJob"}, true, "its template is one level down"},
		"custom":     {map[string]any{"apiVersion": "x.io/v1", "kind": "Fleet", "spec": map[string]any{"template": containers}}, true, "any kind may carry a pod template"},
		"custom, nested": {map[string]any{"apiVersion": "x.io/v1", "kind": "Cron", "spec": map[string]any{
			"jobTemplate": map[string]any{"spec": map[string]any{"template": containers}},
		}}, true, "or the template of a job"},
		"no list": {map[string]any{"apiVersion": "x.io/v1", "kind": "Fleet", "spec": map[string]any{"template": map[string]any{
			"spec": map[string]any{"containers": int64(3)},
		}}}, false, "it counts containers, and makes none"},
		"ConfigMap":     {map[string]any{"apiVersion": "v1", "kind": "ConfigMap"}, false, "it makes no pods"},
		"other's group": {map[string]any{"apiVersion": "x.io/v1", "kind": "Deployment"}, false, "only the kind's name is the same"},
	}
	for name, c := range cases {
		if got := podkind.Is(&unstructured.Unstructured{Object: c.object}); got != c.want {
			t.Errorf("%s: got %v, want %v: %s", name, got, c.want, c.reason)
		}
	}
}
