package rights

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/probing"
)

// ofProber is what an agent asks of a cluster whose probes it runs: of one to which components bring them.
func ofProber(objects []*unstructured.Unstructured) (all []Need) {
	in := map[string]bool{}
	for _, o := range objects {
		if o.GroupVersionKind().GroupKind() == probing.GroupVersion.WithKind(probing.KindConfig).GroupKind() {
			in[o.GetNamespace()] = true
		}
	}
	if len(in) == 0 {
		return nil
	}
	const why = "an agent runs probes"
	of, look := probing.GroupVersion.Group, []string{"get", "list", "watch"}
	all = []Need{
		{Group: of, Resource: "probeconfigs", Verbs: look, Place: Anywhere, Why: why},
		{Group: of, Resource: "probeconfigs/status", Verbs: []string{"update"}, Place: Anywhere, Why: why},
		{Group: of, Resource: "proberuns", Verbs: append(slices.Clone(look), "create", "update", "delete"), Place: Anywhere, Why: why},
		{Group: of, Resource: "proberuns/status", Verbs: []string{"update"}, Place: Anywhere, Why: why},
		{Resource: "pods", Verbs: look, Place: Anywhere, Why: "of pods an agent sees those that probes are, and those of a control plane"},
	}
	all = append(all, Events()...)
	for _, namespace := range slices.Sorted(maps.Keys(in)) {
		all = append(all, Need{Resource: "pods", Verbs: []string{"create", "delete"}, Place: In(namespace), Why: "a run of a probe is a pod"})
	}
	return all
}
