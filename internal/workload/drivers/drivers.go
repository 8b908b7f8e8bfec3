// Package drivers is the list of the drivers that there are. A new driver is a package beside this one, a line in All, and a
// row of templates/podkind. It must not know what any one of them does.
package drivers

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/daemonset"
	"sluice.dev/sluice/internal/workload/deployment"
	"sluice.dev/sluice/internal/workload/kit"
)

// All returns every driver there is, in the order in which they are shown.
func All(on clock.Clock) []workload.Driver {
	return []workload.Driver{
		kit.New(deployment.Kind{}, on), // the lock on minReadySeconds: the stock controller keeps the ceiling
		kit.New(daemonset.Kind{}, on),  // OnDelete: Sluice evicts the pods itself, node by node
	}
}

// For returns the driver of a kind. A kind that no driver moves is fault.Refused.
func For(kind schema.GroupKind) (workload.Driver, error) {
	for _, driver := range All(clock.RealClock{}) {
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

// Owned is a workload as its owner has it: without a hold, and with what he had said where a driver's own fields stand now. An
// object that nobody holds is returned as it is.
func Owned(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	hold, err := workload.HoldOf(live)
	if err != nil || hold == nil {
		return live.DeepCopy(), err
	}
	driver, err := For(live.GroupVersionKind().GroupKind())
	if err != nil {
		return nil, err
	}
	return hold.Owned(live, driver.Holds()), nil
}

// Costs returns what moving a live workload to the spec's target costs; nothing for one that is created, or that no driver moves.
func Costs(spec workload.Spec, live *unstructured.Unstructured) ([]workload.Cost, error) {
	if live == nil {
		return nil, nil
	}
	driver, err := For(live.GroupVersionKind().GroupKind())
	if err != nil {
		return nil, nil
	}
	return driver.Costs(spec, live)
}
