package rights

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/probing"
)

// ofLeft is what taking away takes that cases have left: of the kinds that they say they make.
func ofLeft(c *unstructured.Unstructured) (all []Need) {
	kinds, _, err := unstructured.NestedSlice(c.Object, "spec", "makes")
	if err != nil {
		return nil // the API server does not take it either
	}
	for _, one := range kinds {
		m, _ := one.(map[string]any)
		n := Need{Verbs: []string{"list", "delete"}, Place: In(c.GetNamespace()), Why: "what a probe has made and left is taken away"}
		n.Group, _ = m["group"].(string)
		n.Resource, _ = m["resource"].(string)
		if everywhere, _ := m["everywhere"].(bool); everywhere {
			n.Place = Anywhere
		}
		all = append(all, n)
	}
	return all
}

// ofProber is what an agent asks of a cluster whose probes it runs: of one to which components bring them.
func ofProber(objects []*unstructured.Unstructured) (all []Need) {
	in, left := map[string]bool{}, []Need{}
	for _, o := range objects {
		if o.GroupVersionKind().GroupKind() == probing.GroupVersion.WithKind(probing.KindConfig).GroupKind() {
			in[o.GetNamespace()] = true
			left = append(left, ofLeft(o)...)
		}
	}
	if len(in) == 0 {
		return nil
	}
	const why, says = "an agent runs probes", "an agent says how its cluster is"
	of, look := probing.GroupVersion.Group, []string{"get", "list", "watch"}
	all = []Need{
		{Group: of, Resource: "probeconfigs", Verbs: look, Place: Anywhere, Why: why},
		{Group: of, Resource: "probeconfigs/status", Verbs: []string{"update"}, Place: Anywhere, Why: why},
		{Group: of, Resource: "proberuns", Verbs: append(slices.Clone(look), "create", "update", "delete"), Place: Anywhere, Why: why},
		{Group: of, Resource: "proberuns/status", Verbs: []string{"update"}, Place: Anywhere, Why: why},
		{Group: of, Resource: "healthsignals", Verbs: []string{"get", "list", "create"}, Place: Anywhere, Why: says},
		{Group: of, Resource: "healthsignals/status", Verbs: []string{"update"}, Place: Anywhere, Why: says},
		{Resource: "pods", Verbs: look, Place: Anywhere, Why: "of pods an agent sees those that probes are, and those of a control plane"},
	}
	all = append(all, Need{
		Group: "apiextensions.k8s.io", Resource: "customresourcedefinitions", Verbs: []string{"get", "patch"}, Place: Anywhere,
		Names: []string{"healthsignals." + of, "probeconfigs." + of, "proberuns." + of},
		Why:   "an agent upgrades what probes are defined as where that is older",
	}, Need{
		Group: "coordination.k8s.io", Resource: "leases", Verbs: []string{"get"}, Place: In(corev1.NamespaceNodeLease),
		Why: "whether a program hangs or its node has just died, the node's Lease tells",
	})
	all = append(all, Events()...)
	for _, namespace := range slices.Sorted(maps.Keys(in)) {
		all = append(all, Need{Resource: "pods", Verbs: []string{"create", "delete"}, Place: In(namespace), Why: "a run of a probe is a pod"})
	}
	return append(all, left...)
}
