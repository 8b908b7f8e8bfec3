package caserun_test

import (
	"fmt"
	"slices"
	"testing"

	"sluice.dev/sluice/internal/caserun"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/probing"
)

// TestOfManyNodesAFewAreChosen: never more than the bound, the same for the same key, and almost the same when nodes come and go.
func TestOfManyNodesAFewAreChosen(t *testing.T) {
	b := newBench(t)
	config := aCase("life")
	config.Spec.Target.Kind, config.Spec.Target.Labels = probing.OfNodes, map[string]string{"pool": "edge"}
	if _, err := caserun.Nodes(t.Context(), b.cluster, config, "k"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("of no node it says %v", err)
	}
	b.nodes(1000, map[string]any{"pool": "edge"})
	b.Put(kubetest.Object(t, map[string]any{"apiVersion": "v1", "kind": "Node", "metadata": map[string]any{"name": "core-1"}}))
	choose := func(key string, sample int) []string {
		t.Helper()
		config.Spec.Target.Sample = sample
		names, err := caserun.Nodes(t.Context(), b.cluster, config, key)
		if err != nil || !slices.IsSorted(names) || slices.Contains(names, "core-1") {
			t.Fatalf("%v, %v", names, err)
		}
		return names
	}
	for sample, want := range map[int]int{0: probing.MaxSample, 3: 3, 1000: probing.MaxSample} {
		if got := choose("k", sample); len(got) != want {
			t.Errorf("a sample of %d is %d nodes, want %d", sample, len(got), want)
		}
	}
	was := choose("k", 10)
	if again := choose("k", 10); !slices.Equal(again, was) {
		t.Errorf("%v, and then %v", was, again)
	}
	if other := choose("another", 10); slices.Equal(other, was) {
		t.Errorf("for another key they are the same: %v", other)
	}
	for _, name := range []string{was[4], "n9999"} { // one of them goes
		o := kubetest.Object(t, map[string]any{"apiVersion": "v1", "kind": "Node",
			"metadata": map[string]any{"name": name, "labels": map[string]any{"pool": "edge"}}})
		if name == was[4] {
			b.Delete(o)
		}
	}
	now, stayed := choose("k", 10), 0
	for _, name := range now {
		if slices.Contains(was, name) {
			stayed++
		}
	}
	if stayed != 9 || slices.Contains(now, was[4]) {
		t.Errorf("without %s they are %v, and were %v", was[4], now, was)
	}
}

// TestCasesOfACluster are read in one order. A cluster that knows none has none.
func TestCasesOfACluster(t *testing.T) {
	b := newBench(t)
	if all, err := caserun.Configs(t.Context(), b.cluster); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
	for i := range 3 {
		b.Put(kubetest.Object(t, aCase(fmt.Sprintf("case-%d", 2-i))))
	}
	all, err := caserun.Configs(t.Context(), b.cluster)
	if err != nil || len(all) != 3 || all[0].Name != "case-0" || all[2].Name != "case-2" {
		t.Errorf("%v, %v", all, err)
	}
	b.Put(kubetest.Object(t, map[string]any{"apiVersion": probing.GroupVersion.String(), "kind": probing.KindConfig,
		"metadata": map[string]any{"namespace": namespace, "name": "odd"}, "spec": map[string]any{"timeout": 7}}))
	if _, err := caserun.Configs(t.Context(), b.cluster); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("of one that cannot be read it says %v", err)
	}
}
