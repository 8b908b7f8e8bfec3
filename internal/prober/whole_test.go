package prober_test

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/probing"
)

// whole are the lists of all cases that were said.
func (s *site) whole() (all [][]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.said {
		if one.Whole {
			all = append(all, one.Cases)
		}
	}
	return all
}

// TestWhatACaseLeavesWhileNobodyLooks has cases taken away while no prober runs, the last one too: whoever comes says what is there, so that
// nothing stays known of what is not.
func TestWhatACaseLeavesWhileNobodyLooks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	elsewhere := func(c *probing.Config) { c.Namespace = "kube-system" }
	s.probe("etcd")
	s.probe("dns", elsewhere)
	s.probe("etcd", elsewhere)
	says := func(want ...string) {
		t.Helper()
		s.until("it does not say what the cluster has", func() bool { return len(s.whole()) > 0 })
		if got := s.whole()[0]; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		s.stop()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.said = nil
	}
	s.start()
	says("dns", "etcd")
	for _, c := range s.configs() {
		s.Delete(&unstructured.Unstructured{Object: object{
			"apiVersion": "sluice.dev/v1alpha1", "kind": probing.KindConfig, "metadata": object{"namespace": c.Namespace, "name": c.Name},
		}})
	}
	s.start()
	says()
}
