package workload

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/internal/fault"
)

// Drivers returns every driver there is, in the order in which they are shown.
func Drivers() []Driver {
	return []Driver{
		deployment{}, // the lock on minReadySeconds: the stock controller keeps the ceiling
		daemonSet{},  // OnDelete: Sluice evicts the pods itself, node by node
	}
}

// For returns the driver of a kind. A kind that no driver moves is fault.Refused.
func For(kind schema.GroupKind) (Driver, error) {
	for _, driver := range Drivers() {
		if driver.Kind() == kind {
			return driver, nil
		}
	}
	name := kind.Kind
	if kind.Group != "" {
		name = kind.Group + "/" + kind.Kind
	}
	return nil, fault.New(fault.Refused, "cannot move %s: no driver for %s", kind.Kind, name)
}

// IsWorkload reports whether an object carries a pod template, and so needs a driver.
func IsWorkload(object *unstructured.Unstructured) bool {
	for _, path := range [][]string{
		{"spec", "template", "spec", "containers"},
		{"spec", "jobTemplate", "spec", "template", "spec", "containers"},
	} {
		if _, ok, err := unstructured.NestedFieldNoCopy(object.Object, path...); ok && err == nil {
			return true
		}
	}
	gk := object.GroupVersionKind().GroupKind()
	switch gk.Kind {
	case "Deployment", "DaemonSet", "StatefulSet", "ReplicaSet":
		return gk.Group == "apps" || gk.Group == "apps.kruise.io"
	case "Job", "CronJob":
		return gk.Group == "batch"
	case "CloneSet":
		return gk.Group == "apps.kruise.io"
	case "ReplicationController":
		return gk.Group == ""
	}
	return false
}
