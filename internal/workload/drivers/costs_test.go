package drivers_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/drivers"
)

func TestCosts(t *testing.T) {
	shape := func(kind string, spec map[string]any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apps/v1", "kind": kind, "metadata": map[string]any{"name": "a", "namespace": "n"}, "spec": spec,
		}}
	}
	strategy := func(field, kind string, surge any) map[string]any {
		s := map[string]any{"type": kind}
		if surge != nil {
			s["rollingUpdate"] = map[string]any{"maxSurge": surge, "maxUnavailable": int64(0)}
		}
		return map[string]any{field: s}
	}
	held := func(o *unstructured.Unstructured, hold string) *unstructured.Unstructured {
		o.SetAnnotations(map[string]string{workload.HeldAnnotation: hold})
		return o
	}
	cases := map[string]struct {
		live, target *unstructured.Unstructured
		want         api.Rule
		reason       string
	}{
		"a Deployment that rolls": {
			shape("Deployment", strategy("strategy", "RollingUpdate", "25%")), shape("Deployment", nil), "", "batches keep what it promises",
		},
		"Recreate, said by the target": {
			shape("Deployment", strategy("strategy", "RollingUpdate", "25%")), shape("Deployment", strategy("strategy", "Recreate", nil)), api.RuleTakesAllDown, "that is what holds from now on",
		},
		"Recreate, said by nobody but the API server": {
			shape("Deployment", strategy("strategy", "Recreate", nil)), shape("Deployment", nil), api.RuleTakesAllDown, "nobody takes it back",
		},
		"Recreate until now": {
			shape("Deployment", strategy("strategy", "Recreate", nil)), shape("Deployment", strategy("strategy", "RollingUpdate", int64(1))), "", "two versions may run at once from now on",
		},
		"Recreate, as a hold has it": {
			held(shape("Deployment", strategy("strategy", "RollingUpdate", int64(0))), `{"run":"r","owner":{"strategy":{"type":"Recreate"}}}`), shape("Deployment", nil),
			api.RuleTakesAllDown, "what stands there is a driver's",
		},
		"created": {nil, shape("Deployment", strategy("strategy", "Recreate", nil)), "", "there is no pod to take down"},
		"a DaemonSet that surges": {
			shape("DaemonSet", strategy("updateStrategy", "RollingUpdate", int64(1))), shape("DaemonSet", nil), api.RuleSurgeIsLost, "OnDelete knows no surge",
		},
		"a DaemonSet that surges, as a hold has it": {
			held(shape("DaemonSet", strategy("updateStrategy", "OnDelete", nil)), `{"run":"r","owner":{"updateStrategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":"10%"}}}}`), shape("DaemonSet", nil),
			api.RuleSurgeIsLost, "what stands there is a driver's",
		},
		"a DaemonSet that does not": {
			shape("DaemonSet", strategy("updateStrategy", "RollingUpdate", int64(0))), shape("DaemonSet", nil), "", "its pods go one by one anyway",
		},
		"a DaemonSet that will not": {
			shape("DaemonSet", strategy("updateStrategy", "RollingUpdate", int64(1))), shape("DaemonSet", strategy("updateStrategy", "RollingUpdate", "0%")), "", "the target says so",
		},
		"another kind": {shape("StatefulSet", nil), shape("StatefulSet", nil), "", "no driver moves it"},
	}
	for name, c := range cases {
		costs, err := drivers.Costs(workload.Spec{Target: c.target}, c.live)
		got := api.Rule("")
		if len(costs) > 0 {
			got = costs[0].Rule
		}
		if err != nil || got != c.want || len(costs) > 1 {
			t.Errorf("%s: got %+v, %v, want %q: %s", name, costs, err, c.want, c.reason)
		}
	}
}
