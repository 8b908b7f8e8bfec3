package server

import (
	"fmt"
	"testing"

	"sluice.dev/sluice/internal/access"
)

// TestWhatIsRememberedOfPlans holds what a server remembers to its bounds.
func TestWhatIsRememberedOfPlans(t *testing.T) {
	o := objects{of: map[string]access.Object{}}
	large := access.Object{Component: "large", GroupLabels: make([]map[string]string, maxPlaces+1)}
	o.put("large", large)
	if _, ok := o.get("large"); ok {
		t.Error("a plan of more groups than may be is remembered")
	}
	most := access.Object{Component: "most", GroupLabels: make([]map[string]string, maxPlaces)}
	o.put("most", most)
	if known, ok := o.get("most"); !ok || known.Component != "most" {
		t.Errorf("a plan of as many groups as may be is forgotten: %v", known)
	}
	for i := range 3 * maxObjects {
		hash := fmt.Sprint("plan-", i)
		o.put(hash, access.Object{Component: hash})
		if known, ok := o.get(hash); !ok || known.Component != hash || len(o.of) > maxObjects {
			t.Fatalf("after %d plans the last one is %v, %v, and %d are remembered", i, known, ok, len(o.of))
		}
	}
}
