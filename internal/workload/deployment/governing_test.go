package deployment

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/kit"
)

func TestTheStrategyThatGoverns(t *testing.T) {
	shape := func(kind string) *unstructured.Unstructured {
		o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "a"}, "spec": map[string]any{}}}
		if kind != "" {
			o.Object["spec"].(map[string]any)["strategy"] = map[string]any{"type": kind}
		}
		return o
	}
	for name, c := range map[string]struct {
		target, wayBack         string
		recreates, recreatesNow bool // forward, and on the way back
	}{
		"both roll":                {"RollingUpdate", "RollingUpdate", false, false},
		"both recreate":            {"Recreate", "Recreate", true, true},
		"it begins to recreate":    {"Recreate", "RollingUpdate", true, false},
		"it recreated":             {"RollingUpdate", "Recreate", false, false}, // nobody let all pods be taken down
		"the target says it alone": {"Recreate", "", true, false},
	} {
		s := &kit.Session{Spec: workload.Spec{Target: shape(c.target), WayBack: shape(c.wayBack)}, Family: (Kind{}).Family()}
		owner := map[string]any{"strategy": map[string]any{"type": "RollingUpdate"}}
		if c.wayBack != "" {
			owner["strategy"] = map[string]any{"type": c.wayBack}
		}
		for back, want := range map[bool]bool{false: c.recreates, true: c.recreatesNow} {
			got, err := governing(s, owner, back)
			if err != nil || recreates(got) != want {
				t.Errorf("%s, back %v: governed by %v, %v", name, back, got, err)
			}
		}
	}
}
