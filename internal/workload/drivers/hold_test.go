package drivers_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/drivers"
)

func TestWhatADriverHoldsIsTheOwners(t *testing.T) {
	held := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1", "kind": "DaemonSet",
		"metadata": map[string]any{"name": "agent", "annotations": map[string]any{
			"team": "theirs", workload.HeldAnnotation: `{"run": "agent-1", "fence": 1, "armed": true, "owner": {"updateStrategy": {"type": "RollingUpdate"}}}`,
		}},
		"spec": map[string]any{"updateStrategy": map[string]any{"type": "OnDelete"}, "minReadySeconds": int64(5)},
	}}
	free := held.DeepCopy()
	free.SetAnnotations(map[string]string{"team": "theirs"})
	for reason, c := range map[string]struct{ live, want map[string]any }{
		"nobody holds it": {free.Object, free.Object},
		"a run that was given up holds it": {held.Object, map[string]any{
			"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": map[string]any{"name": "agent", "annotations": map[string]any{"team": "theirs"}},
			"spec": map[string]any{"updateStrategy": map[string]any{"type": "RollingUpdate"}, "minReadySeconds": int64(5)},
		}},
	} {
		got, err := drivers.Owned(&unstructured.Unstructured{Object: c.live})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, got.Object); diff != "" {
			t.Errorf("%s (-want +got):\n%s", reason, diff)
		}
	}
}
