// Package podkind says which objects make pods, and where in them the template of those pods stands: the one answer for
// rendering, patching and moving. It knows no cluster and no driver; it must import nothing of this module.
package podkind

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Way is how the pods of a kind get to another template.
type Way string

// The ways.
const (
	Driven Way = "driven" // a driver moves them batch by batch
	Ends   Way = "ends"   // they come and go by themselves: there is nothing to move
	Refuse Way = ""       // they would have to be moved, and no driver knows how
)

var (
	plain  = []string{"spec", "template"}
	nested = []string{"spec", "jobTemplate", "spec", "template"}
)

// table has the kinds that are known to make pods. Any other one does where it has containers in the place of these.
var table = []struct {
	kind     schema.GroupKind
	template []string
	way      Way
}{
	{schema.GroupKind{Group: "apps", Kind: "Deployment"}, plain, Driven},
	{schema.GroupKind{Group: "apps", Kind: "DaemonSet"}, plain, Driven},
	{schema.GroupKind{Group: "apps", Kind: "StatefulSet"}, plain, Refuse},
	{schema.GroupKind{Group: "apps", Kind: "ReplicaSet"}, plain, Refuse},
	{schema.GroupKind{Kind: "ReplicationController"}, plain, Refuse},
	{schema.GroupKind{Group: "batch", Kind: "Job"}, plain, Ends},
	{schema.GroupKind{Group: "batch", Kind: "CronJob"}, nested, Ends},
	{schema.GroupKind{Group: "apps.kruise.io", Kind: "CloneSet"}, plain, Refuse},
	{schema.GroupKind{Group: "apps.kruise.io", Kind: "Deployment"}, plain, Refuse},
	{schema.GroupKind{Group: "apps.kruise.io", Kind: "DaemonSet"}, plain, Refuse},
	{schema.GroupKind{Group: "apps.kruise.io", Kind: "StatefulSet"}, plain, Refuse},
	{schema.GroupKind{Group: "apps.kruise.io", Kind: "ReplicaSet"}, plain, Refuse},
}

// Template returns the path of an object's pod template; nil where the object makes no pods.
func Template(object *unstructured.Unstructured) []string {
	kind := object.GroupVersionKind().GroupKind()
	for _, row := range table {
		if row.kind == kind {
			return slices.Clone(row.template)
		}
	}
	for _, path := range [][]string{plain, nested} {
		containers, _, _ := unstructured.NestedFieldNoCopy(object.Object, slices.Concat(path, []string{"spec", "containers"})...)
		if _, ok := containers.([]any); ok {
			return slices.Clone(path)
		}
	}
	return nil
}

// Is reports whether an object makes pods.
func Is(object *unstructured.Unstructured) bool { return Template(object) != nil }

// WayOf returns how the pods of a kind get to another template.
func WayOf(kind schema.GroupKind) Way {
	for _, row := range table {
		if row.kind == kind {
			return row.way
		}
	}
	return Refuse
}

// All returns the kinds that are known to make pods, and are moved in a way.
func All(way Way) []schema.GroupKind {
	var kinds []schema.GroupKind
	for _, row := range table {
		if row.way == way {
			kinds = append(kinds, row.kind)
		}
	}
	return kinds
}
