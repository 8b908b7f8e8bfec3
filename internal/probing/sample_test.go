package probing_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice.dev/sluice/internal/probing"
)

var nodeNames = rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,6}`), 0, 120)

// Some of the nodes are chosen, each once, and as many as there may be.
func TestASampleIsOfTheNodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, n, key := nodeNames.Draw(t, "nodes"), rapid.IntRange(-2, 80).Draw(t, "n"), rapid.String().Draw(t, "key")
		most := n
		if n < 1 || n > probing.MaxSample {
			most = probing.MaxSample
		}
		there := slices.Compact(slices.Sorted(slices.Values(nodes)))
		got := probing.Sample(nodes, n, key)
		if len(got) != min(most, len(there)) {
			t.Fatalf("%d of %d nodes, of %d at most", len(got), len(there), most)
		}
		if once := slices.Compact(slices.Sorted(slices.Values(got))); len(once) != len(got) {
			t.Fatalf("a node is there twice: %v", got)
		}
		for _, node := range got {
			if !slices.Contains(nodes, node) {
				t.Fatalf("%q is none of them", node)
			}
		}
		slices.Reverse(nodes)
		if diff := cmp.Diff(got, probing.Sample(nodes, n, key)); diff != "" {
			t.Fatalf("listed the other way around: %s", diff)
		}
	})
}

// A node that comes or goes changes one of the chosen at most.
func TestASampleStaysWhereNodesComeAndGo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := slices.Compact(slices.Sorted(slices.Values(nodeNames.Draw(t, "nodes"))))
		n, key := rapid.IntRange(1, 20).Draw(t, "n"), rapid.String().Draw(t, "key")
		before := probing.Sample(nodes, n, key)
		after := probing.Sample(append(slices.Clone(nodes), "NEW"), n, key)
		if lost := missing(before, after); lost > 1 || lost == 1 && !slices.Contains(after, "NEW") {
			t.Fatalf("a node came, and of %v there are %v", before, after)
		}
		if len(nodes) == 0 {
			return
		}
		gone := rapid.SampledFrom(nodes).Draw(t, "gone")
		left := slices.DeleteFunc(slices.Clone(nodes), func(node string) bool { return node == gone })
		after = probing.Sample(left, n, key)
		if lost := missing(before, after); lost > 1 || lost == 1 && slices.Contains(after, gone) {
			t.Fatalf("%s went, and of %v there are %v", gone, before, after)
		}
	})
}

func missing(of, in []string) (n int) {
	for _, one := range of {
		if !slices.Contains(in, one) {
			n++
		}
	}
	return n
}

func names(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("node-%04d", i)
	}
	return all
}

// What one round of a case asks for does not grow with the cluster, not to speak of its square, and the rounds reach every node.
func TestFailureMode_P06(t *testing.T) {
	for _, n := range []int{10, 100, 5000} {
		all := names(n)
		for _, asked := range []int{0, 10, 1_000_000} {
			if got := len(probing.Sample(all, asked, "case")); got > probing.MaxSample || got > n {
				t.Errorf("%d nodes, %d asked for: one round is about %d nodes", n, asked, got)
			}
		}
	}
	all, reached := names(500), map[string]bool{}
	for round := range 200 {
		for _, node := range probing.Sample(all, probing.MaxSample, fmt.Sprintf("case/%d", round)) {
			reached[node] = true
		}
	}
	if len(reached) != len(all) {
		t.Errorf("after 200 rounds %d of %d nodes had their turn", len(reached), len(all))
	}
}
