package server

import (
	"fmt"
	"testing"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/engine"
)

// TestWhatIsRememberedOfPlans holds what a server remembers to its bounds.
func TestWhatIsRememberedOfPlans(t *testing.T) {
	o := objects{of: map[asSeen]access.Object{}}
	large := access.Object{Component: "large", GroupLabels: make([]map[string]string, maxPlaces+1)}
	o.put(asSeen{Seen: engine.Seen{Plan: "large"}}, large)
	if _, ok := o.get(asSeen{Seen: engine.Seen{Plan: "large"}}); ok {
		t.Error("a plan of more groups than may be is remembered")
	}
	spread := access.Object{Component: "spread", Namespaces: make([]string, maxPlaces+1)}
	o.put(asSeen{Seen: engine.Seen{Plan: "spread"}}, spread)
	if _, ok := o.get(asSeen{Seen: engine.Seen{Plan: "spread"}}); ok {
		t.Error("a plan of more namespaces than may be is remembered")
	}
	most := access.Object{Component: "most", GroupLabels: make([]map[string]string, maxPlaces)}
	o.put(asSeen{Seen: engine.Seen{Plan: "most"}}, most)
	if known, ok := o.get(asSeen{Seen: engine.Seen{Plan: "most"}}); !ok || known.Component != "most" {
		t.Errorf("a plan of as many groups as may be is forgotten: %v", known)
	}
	for i := range 3 * maxObjects {
		hash := fmt.Sprint("plan-", i)
		seen := asSeen{Seen: engine.Seen{Plan: hash}}
		o.put(seen, access.Object{Component: hash})
		if known, ok := o.get(seen); !ok || known.Component != hash || len(o.of) > maxObjects {
			t.Fatalf("after %d plans the last one is %v, %v, and %d are remembered", i, known, ok, len(o.of))
		}
	}
}
