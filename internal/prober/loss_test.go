package prober_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/probing"
)

// bind has a pod be on a node.
func (s *site) bind(p corev1.Pod, node string) {
	s.t.Helper()
	for _, live := range s.All("Pod") {
		if live.GetName() == p.Name {
			if err := unstructured.SetNestedField(live.Object, node, "spec", "nodeName"); err != nil {
				s.t.Fatal(err)
			}
			s.Put(live)
		}
	}
}

// lease is what a node renews as long as it lives.
func (s *site) lease(node string, renewed time.Time) {
	s.Put(&unstructured.Unstructured{Object: object{
		"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": object{"namespace": "kube-node-lease", "name": node},
		"spec": object{"renewTime": renewed.UTC().Format(metav1.RFC3339Micro)},
	}})
}

// A program that says nothing has failed where its node lives. One whose node died under it, a moment ago or meanwhile, could not look.
func TestANodeThatHasJustDied(t *testing.T) {
	t.Parallel()
	const timeout = 40 * time.Second
	for _, c := range []struct {
		reason  string
		node    func(s *site, began time.Time)
		verdict api.Verdict
		says    string
	}{
		{"it renews its Lease", func(s *site, began time.Time) { s.lease("n1", began.Add(timeout)) }, api.Failed, "within 40s"},
		{"it has renewed it when there was no time to do so again", func(s *site, began time.Time) {
			s.lease("n1", began.Add(timeout-9*time.Second))
		}, api.Failed, "within 40s"},
		{"it has not since half of the time", func(s *site, began time.Time) {
			s.lease("n1", began.Add(timeout/2))
		}, api.Error, "node n1 has not renewed its Lease since"},
		{"it comes late", func(s *site, began time.Time) {
			s.lease("n1", began)
			time.AfterFunc(500*time.Millisecond, func() { s.lease("n1", began.Add(timeout)) })
		}, api.Failed, "within 40s"},
		{"it is away and came back", func(s *site, began time.Time) {
			s.lease("n1", began.Add(timeout))
			n := s.All("Node")[0]
			n.Object["status"] = object{"conditions": []any{object{
				"type": "Ready", "status": "True", "lastTransitionTime": began.Add(20 * time.Second).UTC().Format(time.RFC3339),
			}}}
			s.Put(n)
		}, api.Error, "node n1 was not ready until"},
		{"it is gone", func(s *site, _ time.Time) { s.Delete(s.All("Node")...) }, api.Error, "there is no node n1"},
		{"nobody renews Leases here", func(*site, time.Time) {}, api.Failed, "within 40s"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.Kubelet = func(*unstructured.Unstructured) map[string]any { return running() }
			s.node("n1", true)
			s.probe("dns", func(c *probing.Config) { c.Spec.Timeout.Duration = timeout })
			r := s.run("dns", "", "1")
			by, clocked := oddly(0)
			s.start(clocked)
			s.until("no pod runs", func() bool { return len(s.pods()) == 1 && s.runs()[0].Status.Pod != "" })
			p := s.pods()[0]
			s.bind(p, "n1")
			c.node(s, p.Status.ContainerStatuses[0].State.Running.StartedAt.Time)
			by.Add(int64(timeout + 18*time.Second))
			s.until("it comes to no end", func() bool { // its Lease is looked for each two seconds, for 45
				for _, p := range s.pods() {
					s.bind(p, "n1")
				}
				time.Sleep(50 * time.Millisecond)
				if strings.HasPrefix(c.says, "node n1 has not") {
					by.Add(int64(10 * time.Second))
				}
				return s.runs()[0].Status.Phase == probing.RunDone
			})
			got := s.done(r).Status.Result
			if got.Verdict != c.verdict || !strings.Contains(got.Message, c.says) {
				t.Errorf("it is %s %s: %s", got.Verdict, got.Code, got.Message)
			}
		})
	}
}

// A node is lost: what is about it is Unknown once nothing counts any more, the residents of others go on, and no pods pile up. Once its
// object is gone, so are its pods, which nobody is left to end.
func TestFailureMode_P05_ANodeIsLost(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return running() }
	s.Lingers = func(o *unstructured.Unstructured) bool {
		node, _, _ := unstructured.NestedString(o.Object, "spec", "nodeName")
		return o.GetKind() == "Pod" && node == "n2"
	}
	for i := 1; i <= 3; i++ {
		s.node(fmt.Sprintf("n%d", i), true)
	}
	resident := func(c *probing.Config) {
		c.Spec.Mode, c.Spec.Schedule.Every.Duration, c.Spec.Pod.Profile = probing.Resident, time.Second, "node"
	}
	s.probe("net", resident, func(c *probing.Config) { c.Spec.Target.Kind = probing.OfNodes })
	s.probe("dns", resident)
	s.probe("once")
	r := s.run("once", "", "1")
	by, clocked := oddly(0)
	s.start(clocked)
	s.until("not all run", func() bool { return len(s.pods()) == 5 })
	on := func(node string) (all []corev1.Pod) {
		return slices.DeleteFunc(s.pods(), func(p corev1.Pod) bool { return p.Spec.NodeName != node })
	}
	of := func(name string) (all []corev1.Pod) {
		return slices.DeleteFunc(s.pods(), func(p corev1.Pod) bool { return p.Labels[probing.LabelCase] != name })
	}
	for _, p := range s.pods() {
		node := env(p, "SLUICE_TARGET")
		if node == "" {
			node = "n2"
		}
		s.bind(p, node)
	}
	seq := 0
	say := func(p corev1.Pod) {
		t.Helper()
		seq++
		if code := s.report(p, fmt.Sprintf(`{"OK": true, "Errors": [], "sluice": {"seq": %d}}`, seq)); code != 200 {
			t.Fatalf("a report is answered with %d", code)
		}
	}
	for _, p := range append(of("net"), of("dns")...) {
		say(p)
	}
	s.until("they do not pass", func() bool {
		return s.stand("net", "n2").State == probing.Passing && s.stand("net", "n3").State == probing.Passing && s.stand("dns", "").State == probing.Passing
	})
	before, other := of("dns")[0], s.at("n1")[0]

	by.Add(int64(6 * time.Second)) // residents have patience
	s.node("n2", false)
	s.until("what may run elsewhere does not", func() bool { return len(of("dns")) == 2 })
	for _, p := range of("dns") {
		if p.Name != before.Name {
			s.bind(p, "n3")
			say(p)
		}
	}
	s.until("the one before it is not ended", func() bool {
		return slices.ContainsFunc(on("n2"), func(p corev1.Pod) bool { return p.Name == before.Name && p.DeletionTimestamp != nil })
	})
	fresh := 16 * time.Minute
	for range 5 { // which each have it tried again
		by.Add(int64(fresh / 5))
		for _, target := range []string{"n1", "n3"} {
			say(s.at(target)[0])
		}
		s.rouse("net")
		time.Sleep(100 * time.Millisecond)
	}
	s.until("a node that nobody hears of is known", func() bool {
		now := time.Now().Add(time.Duration(by.Load()))
		lost, there := s.stand("net", "n2"), s.stand("net", "n1")
		return lost.At(now) == probing.Unknown && there.At(now) == probing.Passing
	})
	s.until("its status says that it passes", func() bool {
		for _, c := range s.configs() {
			if c.Name == "net" {
				t := c.Status.Targets[0]
				return len(c.Status.Targets) == 3 && t.Target == "n2" && t.State == probing.Unknown && t.Since.Equal(&t.Until)
			}
		}
		return false
	})
	s.bind(of("once")[0], "n2") // timers do not go by a clock that is set
	if got := s.done(r).Status.Result; got.Verdict != api.Error || got.Code != "NodeNotReady" {
		t.Errorf("what ran once is %s %s: %s", got.Verdict, got.Code, got.Message)
	}
	if n := len(on("n2")); n > 3 {
		t.Errorf("%d pods wait for a node that is lost", n)
	}
	if now := s.at("n1"); len(now) != 1 || now[0].UID != other.UID {
		t.Error("the resident of another node is another one")
	}
	again := s.run("once", "", "2")
	s.until("the next run waits for a pod that does not go", func() bool { return len(of("once")) == 2 })
	for _, p := range of("once") {
		if p.Spec.NodeName == "" {
			s.becomes(p, exits(0, ""))
		}
	}
	if got := s.done(again).Status.Result; got.Verdict != api.Passed {
		t.Errorf("the next run is %+v", got)
	}

	by.Add(int64(16 * time.Second)) // in which who has ended tidies up
	s.Delete(&unstructured.Unstructured{Object: object{"apiVersion": "v1", "kind": "Node", "metadata": object{"name": "n2"}}})
	s.until("pods of a node that is gone stay", func() bool { return len(on("n2")) == 0 })
	s.until("nobody says that it is not looked at any more", func() bool { return s.stand("net", "n2").State == probing.Paused })
	s.node("n4", true)
	s.until("a node that is new has no resident", func() bool { return len(s.at("n4")) == 1 })
	n4 := s.at("n4")[0] // by whose clock it began a quarter of an hour ago
	s.rouse("net")
	s.bind(n4, "n4")
	time.Sleep(200 * time.Millisecond)
	if now := s.at("n4"); len(now) != 1 || now[0].UID != n4.UID {
		t.Error("the clock of a node is believed, and its resident is silent before it could speak")
	}
	if now := s.at("n1"); len(now) != 1 || now[0].UID != other.UID {
		t.Error("the resident of another node is another one")
	}
}

// What only events and people run counts for as long as it says; nobody misses what has not run yet.
func TestFreshnessWithoutASchedule(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return exits(0, "") }
	s.probe("etcd")
	s.probe("never")
	s.probe("kept", func(c *probing.Config) { c.Spec.Freshness.Duration = 0 })
	by, clocked := oddly(0)
	s.start(clocked)
	s.done(s.run("etcd", "", "1"))
	s.done(s.run("kept", "", "1"))
	s.until("it does not pass", func() bool { return s.stand("etcd", "").State == probing.Passing })
	st := s.stand("etcd", "")
	if counts := st.Until.Sub(st.Last.Ended); counts != 15*time.Minute {
		t.Errorf("it counts for %s", counts)
	}
	by.Add(int64(16 * time.Minute))
	s.until("it counts for ever", func() bool {
		for _, c := range s.configs() {
			if c.Name == "etcd" {
				return c.Status.Targets[0].State == probing.Unknown
			}
		}
		return false
	})
	s.until("it is not known what ran once", func() bool { return s.stand("kept", "").State == probing.Passing })
	if st := s.stand("kept", ""); st.At(time.Now().Add(1000*time.Hour)) != probing.Passing {
		t.Errorf("where nothing says for how long, it counts until %s", st.Until)
	}
	if st := s.stand("never", ""); st.State != "" {
		t.Errorf("of what has never run it is said: %+v", st)
	}
	s.done(s.run("etcd", "", "2"))
	s.until("the next run does not end it", func() bool { return s.configs()[0].Status.Targets[0].State == probing.Passing })
}
