package daemonset

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"sluice.dev/sluice/internal/workload/kit"
)

func TestPlacement(t *testing.T) {
	tainted := []corev1.Taint{{Key: "dedicated", Value: "db", Effect: corev1.TaintEffectNoSchedule}}
	cases := map[string]struct {
		spec   map[string]any
		node   kit.Node
		want   bool
		reason string
	}{
		"any node":           {map[string]any{}, kit.Node{Name: "n"}, true, "nothing narrows it"},
		"selector holds":     {map[string]any{"nodeSelector": map[string]any{"pool": "a"}}, kit.Node{Labels: map[string]string{"pool": "a"}}, true, ""},
		"selector fails":     {map[string]any{"nodeSelector": map[string]any{"pool": "a"}}, kit.Node{Labels: map[string]string{"pool": "b"}}, false, ""},
		"tainted":            {map[string]any{}, kit.Node{Taints: tainted}, false, "the taint keeps pods off"},
		"tolerated":          {map[string]any{"tolerations": []any{map[string]any{"key": "dedicated", "operator": "Exists"}}}, kit.Node{Taints: tainted}, true, ""},
		"wrong value":        {map[string]any{"tolerations": []any{map[string]any{"key": "dedicated", "value": "web"}}}, kit.Node{Taints: tainted}, false, ""},
		"prefer only":        {map[string]any{}, kit.Node{Taints: []corev1.Taint{{Key: "x", Effect: corev1.TaintEffectPreferNoSchedule}}}, true, "it only asks"},
		"cordoned":           {map[string]any{}, kit.Node{Taints: []corev1.Taint{{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}}}, true, "a DaemonSet's pods tolerate it"},
		"not ready":          {map[string]any{}, kit.Node{Taints: []corev1.Taint{{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoExecute}}}, true, "a DaemonSet's pods tolerate it"},
		"network, pod's own": {map[string]any{}, kit.Node{Taints: []corev1.Taint{{Key: corev1.TaintNodeNetworkUnavailable, Effect: corev1.TaintEffectNoSchedule}}}, false, "only the host's network works there"},
		"network, host's":    {map[string]any{"hostNetwork": true}, kit.Node{Taints: []corev1.Taint{{Key: corev1.TaintNodeNetworkUnavailable, Effect: corev1.TaintEffectNoSchedule}}}, true, ""},
		"affinity by name":   {affinity("matchFields", "metadata.name", "In", "n"), kit.Node{Name: "n"}, true, ""},
		"affinity excludes":  {affinity("matchExpressions", "pool", "NotIn", "a"), kit.Node{Labels: map[string]string{"pool": "a"}}, false, ""},
		"affinity missing":   {affinity("matchExpressions", "pool", "NotIn", "a"), kit.Node{}, true, "what has no such label is not in"},
		"affinity greater":   {affinity("matchExpressions", "cpus", "Gt", "4"), kit.Node{Labels: map[string]string{"cpus": "8"}}, true, ""},
		"affinity no number": {affinity("matchExpressions", "cpus", "Gt", "4"), kit.Node{Labels: map[string]string{"cpus": "many"}}, false, ""},
	}
	for name, c := range cases {
		place, err := newPlacement(map[string]any{"spec": c.spec})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := place.fits(c.node); got != c.want {
			t.Errorf("%s: got %v, want %v: %s", name, got, c.want, c.reason)
		}
	}
}

func affinity(kind, key, operator, value string) map[string]any {
	term := map[string]any{kind: []any{map[string]any{"key": key, "operator": operator, "values": []any{value}}}}
	required := map[string]any{"nodeSelectorTerms": []any{term}}
	return map[string]any{"affinity": map[string]any{"nodeAffinity": map[string]any{"requiredDuringSchedulingIgnoredDuringExecution": required}}}
}
