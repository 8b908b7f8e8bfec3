package prober_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/prober"
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
	gone := s.at("n1")[0]
	s.Delete(&unstructured.Unstructured{Object: object{
		"apiVersion": "v1", "kind": "Pod", "metadata": object{"namespace": gone.Namespace, "name": gone.Name},
	}})
	s.until("that one of another node is gone is not seen", func() bool {
		return slices.ContainsFunc(s.runs(), func(r probing.Run) bool { return r.Spec.Target == "n1" && r.Status.Told })
	})
	pass(5100 * time.Millisecond) // after the second one it is twice as long
	s.until("the next one of another node waits", func() bool { return len(s.at("n1")) == 1 && s.at("n1")[0].UID != gone.UID })
	if n := len(s.at("n0")); n != 2 {
		t.Errorf("that others report has it tried %d times within 10s", n)
	}
	pass(5100 * time.Millisecond)
	s.until("it is given up", func() bool { return crashed() == 3 })
}

// The next one of a resident that has ended waits from its end on, however long it takes to tell of that.
func TestPatienceBeginsWithTheEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return running() }
	s.probe("dns", func(c *probing.Config) { c.Spec.Mode, c.Spec.Schedule.Every.Duration = probing.Resident, time.Second })
	told, heard := make(chan struct{}), make(chan struct{})
	tell := sync.OnceFunc(func() { close(told) })
	by, clocked := oddly(0)
	s.start(clocked, func(o *prober.Options) {
		o.Say = func(ctx context.Context, said probing.Said) error {
			if len(said.Outcomes) > 0 {
				tell()
				<-heard
			}
			return s.say(ctx, said)
		}
	})
	t.Cleanup(func() { close(heard) })
	s.until("no pod runs", func() bool { return len(s.pods()) == 1 && s.runs()[0].Status.Pod != "" })
	by.Add(int64(10 * time.Second)) // it has run for longer than is waited for the first time
	s.becomes(s.pods()[0], exits(1, "it crashes"))
	<-told
	s.rouse("dns")
	for range 20 {
		time.Sleep(10 * time.Millisecond)
		if n := len(s.runs()); n != 1 {
			t.Fatalf("there are %d runs at once", n)
		}
	}
}
