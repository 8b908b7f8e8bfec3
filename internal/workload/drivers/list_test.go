package drivers_test

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/workload/drivers"
	"sluice.dev/sluice/templates/podkind"
)

func TestFor(t *testing.T) {
	for _, driver := range drivers.All(clock.RealClock{}) {
		found, err := drivers.For(driver.Kind())
		if err != nil || found.Kind() != driver.Kind() {
			t.Errorf("For(%s) is %v, %v", driver.Kind(), found, err)
		}
	}
	for _, kind := range []schema.GroupKind{{Group: "apps", Kind: "StatefulSet"}, {Group: "batch", Kind: "Job"}, {Group: "apps.kruise.io", Kind: "CloneSet"}, {Kind: "Pod"}} {
		_, err := drivers.For(kind)
		if fault.CodeOf(err) != fault.Refused {
			t.Errorf("For(%s) ended with %v, want that it is refused", kind, err)
		}
	}
}

// TestTheTableNamesTheDrivers: what rendering and patching take for a workload that is moved batch by batch has a driver, and
// nothing else has.
func TestTheTableNamesTheDrivers(t *testing.T) {
	listed := podkind.All(podkind.Driven)
	for _, kind := range listed {
		if _, err := drivers.For(kind); err != nil {
			t.Errorf("the table says that %s is driven: %v", kind, err)
		}
	}
	for _, driver := range drivers.All(clock.RealClock{}) {
		if !slices.Contains(listed, driver.Kind()) {
			t.Errorf("there is a driver for %s, and the table does not say that it is driven", driver.Kind())
		}
	}
}
