package site

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func named(nodes []*corev1.Node) []string {
	var all []string
	for _, n := range nodes {
		all = append(all, n.Name)
	}
	return all
}

func TestSamples(t *testing.T) {
	fleet := func(without ...string) []*corev1.Node {
		var all []*corev1.Node
		for i := range 200 {
			if name := fmt.Sprintf("n%d", i); !slices.Contains(without, name) {
				all = append(all, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}})
			}
		}
		return all
	}
	first := named(sampled(fleet(), 10, "run-1"))
	backwards := fleet()
	slices.Reverse(backwards)
	if again := named(sampled(backwards, 10, "run-1")); !slices.Equal(first, again) {
		t.Errorf("listed the other way round they are %v, and were %v", again, first)
	}
	less := named(sampled(fleet(first[3]), 10, "run-1"))
	for i, name := range first {
		if i != 3 && !slices.Contains(less, name) {
			t.Errorf("because %s is gone, %s is left out", first[3], name)
		}
	}
	seen := map[string]bool{}
	for i := range 100 {
		for _, name := range named(sampled(fleet(), 10, fmt.Sprintf("run-%d", i))) {
			seen[name] = true
		}
	}
	if len(seen) < 190 {
		t.Errorf("a hundred runs have looked at %d of 200 nodes", len(seen))
	}
	if few := named(sampled(fleet()[:3], 10, "run-1")); len(few) != 3 {
		t.Errorf("of three nodes %v are looked at", few)
	}
}
