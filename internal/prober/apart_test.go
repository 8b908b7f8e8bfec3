package prober_test

import (
	"slices"
	"testing"

	"sluice.dev/sluice/internal/probing"
)

// TestACaseOfNodesKeepsOffItsNode where it says so: on a node that runs no pod its own would not run either.
func TestACaseOfNodesKeepsOffItsNode(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.node("n1", true)
	s.node("n2", true)
	s.probe("node-life", func(c *probing.Config) { c.Spec.Target.Kind, c.Spec.Target.Apart = probing.OfNodes, true })
	s.run("node-life", "n1", "k")
	s.start()
	s.until("there is no pod", func() bool { return len(s.pods()) == 1 })
	term := s.pods()[0].Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	if len(term) != 1 || len(term[0].MatchExpressions) != 1 || !slices.Equal(term[0].MatchExpressions[0].Values, []string{"n1"}) {
		t.Errorf("it may go to %+v", term)
	}
}
