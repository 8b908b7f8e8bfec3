package e2e_test

import (
	"testing"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/worker"
)

func TestAWorkerBringsItsSearchAttributesToANamespaceOfOnesOwn(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "namespaces")
	c, err := engine.Dial(t.Context(), s.dial)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := worker.EnsureSearchAttributes(t.Context(), c.Client, s.dial.Namespace); err != nil {
		t.Errorf("the second time: %v", err)
	}
}
