package rights

import (
	"fmt"
	"maps"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/internal/workload/drivers"
	"sluice.dev/sluice/pipelines"
)

// Work is what a worker is to do in a cluster.
type Work struct {
	Objects []*unstructured.Unstructured // that components bring
	Steps   []pipelines.StepKinds        // of the tasks that look at it
	Agent   bool                         // an agent does it
}

// Needs is what the work takes.
func (w Work) Needs(o Options) []Need {
	all := slices.Concat(Everywhere(), ofObjects(w.Objects, o.Apart), ofSteps(w.Steps))
	if w.Agent {
		all = append(all, ofAgents()...)
		all = append(all, ofProber(w.Objects)...)
	}
	return all
}

// Units are the namespaces of the workloads that are moved, sorted.
func (w Work) Units() []string {
	found := map[string]bool{}
	for _, o := range w.Objects {
		if _, err := drivers.For(o.GroupVersionKind().GroupKind()); err == nil {
			found[o.GetNamespace()] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// Doubts are what cannot be told of the work without a cluster, in words, sorted.
func (w Work) Doubts() []string {
	plurals, said := declared(w.Objects), map[string]bool{}
	for _, o := range w.Objects {
		kind := o.GroupVersionKind().GroupKind()
		if guessed(kind, plurals) {
			resource := resourceOf(o.GroupVersionKind(), plurals)
			said[fmt.Sprintf("nobody defines %s: it is taken that its resource is called %s", kind, resource)] = true
		}
		if _, gathers := o.Object["aggregationRule"]; gathers && kind == clusterRole {
			said["ClusterRole "+o.GetName()+" gathers the rules of others, which takes every right, or the verb escalate: give it yourself"] = true
		}
	}
	return slices.Sorted(maps.Keys(said))
}

var clusterRole = schema.GroupKind{Group: rbacv1.GroupName, Kind: "ClusterRole"}
