package prober_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/probing"
)

// at are the pods that were made for a target.
func (s *site) at(target string) []corev1.Pod {
	return slices.DeleteFunc(s.pods(), func(p corev1.Pod) bool { return env(p, "SLUICE_TARGET") != target })
}

// rouse has a case looked at: a timer of a prober does not go by a clock that is set.
func (s *site) rouse(name string) {
	for _, live := range s.All(probing.KindConfig) {
		if live.GetName() == name {
			live.SetLabels(map[string]string{"roused": fmt.Sprint(time.Now().UnixNano())})
			s.Put(live)
		}
	}
}

// A resident that crashes on one node is waited for longer each time, and those of the other nodes are not.
func TestEachNodeHasAPatienceOfItsOwn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(p *unstructured.Unstructured) map[string]any {
		if strings.Contains(fmt.Sprint(p.Object["spec"]), "name:SLUICE_TARGET value:n0]") {
			return exits(1, "it crashes")
		}
		return running()
	}
	const nodes = 12
	for i := range nodes {
		s.node(fmt.Sprintf("n%d", i), true)
	}
	s.probe("dns", func(c *probing.Config) {
		c.Spec.Mode, c.Spec.Schedule.Every.Duration = probing.Resident, time.Second
		c.Spec.Target.Kind, c.Spec.Pod.Profile = probing.OfNodes, "node"
	})
	by, clocked := oddly(0)
	s.start(clocked)
	crashed := func() (n int) {
		for _, r := range s.runs() {
			if r.Spec.Target == "n0" && r.Status.Told {
				n++
			}
		}
		return n
	}
	s.until("one that crashes keeps the others back", func() bool { return len(s.pods()) == nodes && crashed() == 1 })
	for i := 1; i < nodes; i++ {
		if code := s.report(s.at(fmt.Sprintf("n%d", i))[0], `{"OK": true, "Errors": [], "sluice": {"seq": 1}}`); code != 200 {
			t.Fatalf("the report of n%d is answered with %d", i, code)
		}
	}
	pass := func(d time.Duration) { by.Add(int64(d)); s.rouse("dns") }
	pass(5100 * time.Millisecond) // after the first one
	s.until("it is not tried again", func() bool { return crashed() == 2 })
	pass(5100 * time.Millisecond) // after the second one it is twice as long
	gone := s.at("n1")[0]
	s.Delete(&unstructured.Unstructured{Object: object{
		"apiVersion": "v1", "kind": "Pod", "metadata": object{"namespace": gone.Namespace, "name": gone.Name},
	}})
	s.until("the next one of another node waits", func() bool { return len(s.at("n1")) == 1 && s.at("n1")[0].UID != gone.UID })
	if n := len(s.at("n0")); n != 2 {
		t.Errorf("that others report has it tried %d times within 10s", n)
	}
	pass(5100 * time.Millisecond)
	s.until("it is given up", func() bool { return crashed() == 3 })
}
