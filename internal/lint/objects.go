package lint

import (
	"cmp"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/pipelines"
)

// Objects are what the component versions of documents bring, each for every distinct configuration that its clusters have. What
// keeps a render from being made is among the errors, and what that would have brought is missing.
func Objects(docs *pipelines.Documents, o Options) (all []*unstructured.Unstructured, wrong pipelines.Diagnostics) {
	o.KubeVersion = cmp.Or(o.KubeVersion, KubeVersion)
	found := &findings{seen: map[finding]int{}}
	for _, r := range renderAll(docs, o) {
		found.add(r, r.problems)
		if r.rendered == nil {
			continue
		}
		for _, object := range r.rendered.Objects {
			all = append(all, object.Unstructured)
		}
	}
	return all, found.sorted().Errors
}
