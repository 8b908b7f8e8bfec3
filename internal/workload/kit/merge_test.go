package kit

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/workload/podtemplate"
)

func TestRemadeLeavesWhatOthersOwn(t *testing.T) {
	shape := func(replicas int64, image, sidecar string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "a"},
			"spec": map[string]any{"replicas": replicas, "template": map[string]any{"spec": map[string]any{"containers": []any{
				map[string]any{"name": "a", "image": image}, map[string]any{"name": "b", "image": sidecar},
			}}}},
		}}
	}
	got, err := remade(shape(3, "a:2", "b:1"), shape(7, "a:2", "b:9"), shape(3, "a:1", "b:1"), appsv1.Deployment{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(shape(7, "a:1", "b:9").Object, got.Object); diff != "" {
		t.Errorf("more than the run's change went back (-want +got):\n%s", diff)
	}
	enforced, err := enforced(podtemplate.Of(got), podtemplate.Of(shape(3, "a:1", "b:1")))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(podtemplate.Of(shape(3, "a:1", "b:1")), enforced); diff != "" {
		t.Errorf("the template is not the way back's (-want +got):\n%s", diff)
	}
}

func TestRestored(t *testing.T) {
	object := func(spec map[string]any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{"kind": "DaemonSet", "spec": spec}}
	}
	fields := []string{"updateStrategy"}
	rolling := func(most any) map[string]any {
		return map[string]any{"updateStrategy": map[string]any{"type": "RollingUpdate", "rollingUpdate": map[string]any{"maxUnavailable": most}}}
	}
	cases := map[string]struct {
		recorded, rendered *unstructured.Unstructured
		owner              map[string]any
		want               string
		reason             string
	}{
		"not rendered":      {object(map[string]any{}), object(map[string]any{}), rolling("5%"), `{"updateStrategy":{"rollingUpdate":{"maxUnavailable":"5%"},"type":"RollingUpdate"}}`, "it stays as the owner had it"},
		"rendered anew":     {object(map[string]any{}), object(rolling(int64(3))), rolling("5%"), `{"updateStrategy":{"rollingUpdate":{"maxUnavailable":3},"type":"RollingUpdate"}}`, "the target says more"},
		"no more rendered":  {object(rolling(int64(3))), object(map[string]any{}), rolling(int64(3)), `{}`, "what was recorded and is rendered no more goes away"},
		"a part of it":      {object(map[string]any{}), object(map[string]any{"updateStrategy": map[string]any{"type": "RollingUpdate"}}), rolling("5%"), `{"updateStrategy":{"rollingUpdate":{"maxUnavailable":"5%"},"type":"RollingUpdate"}}`, "what is not rendered stays"},
		"first of its kind": {nil, object(rolling(int64(2))), map[string]any{}, `{"updateStrategy":{"rollingUpdate":{"maxUnavailable":2},"type":"RollingUpdate"}}`, "there was none before"},
	}
	for name, c := range cases {
		got, err := restored(c.recorded, c.rendered, c.owner, fields)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		text, err := (&unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "X", "spec": got}}).MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		want := `{"apiVersion":"v1","kind":"X","spec":` + c.want + "}\n"
		if string(text) != want {
			t.Errorf("%s: got %s, want %s: %s", name, text, want, c.reason)
		}
	}
}
