package field_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/workload/field"
)

func TestAmount(t *testing.T) {
	for reason, c := range map[string]struct {
		value any
		of    int
		up    bool
		want  int
	}{
		"a number is itself":                   {int64(3), 10, true, 3},
		"as JSON reads it":                     {float64(3), 10, false, 3},
		"a part of a pod is one that may come": {"25%", 10, true, 3},
		"and none that may go":                 {"25%", 10, false, 2},
		"nobody said anything":                 {nil, 10, true, 0},
	} {
		if got := field.Amount(c.value, c.of, c.up); got != c.want {
			t.Errorf("%v of %d is %d, want %d: %s", c.value, c.of, got, c.want, reason)
		}
	}
}

func TestWhatIsPickedIsPutBack(t *testing.T) {
	object := func(spec map[string]any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	}
	names := []string{"strategy", "paused"}
	owner := field.Pick(object(map[string]any{"strategy": map[string]any{"type": "RollingUpdate"}, "replicas": int64(3)}), names)
	taken := object(map[string]any{"strategy": map[string]any{"type": "Recreate"}, "paused": true, "replicas": int64(5)})
	field.Put(taken, names, owner)
	want := map[string]any{"strategy": map[string]any{"type": "RollingUpdate"}, "replicas": int64(5)}
	if diff := cmp.Diff(want, taken.Object["spec"]); diff != "" {
		t.Errorf("what was unset is unset again, the rest is left alone (-want +got):\n%s", diff)
	}
	owner["strategy"].(map[string]any)["type"] = "other"
	if got := field.Text(taken, "spec", "strategy", "type"); got != "RollingUpdate" {
		t.Errorf("the object shares %q with what was put into it", got)
	}
}
