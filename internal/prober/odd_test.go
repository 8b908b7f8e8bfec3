package prober_test

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/prober"
	"sluice.dev/sluice/internal/probing"
)

// odd is a clock that somebody sets, and whose minutes are over soon.
type odd struct {
	clock.RealClock
	by *atomic.Int64
}

func (c odd) Now() time.Time                  { return c.RealClock.Now().Add(time.Duration(c.by.Load())) }
func (c odd) Since(t time.Time) time.Duration { return c.Now().Sub(t) }
func (c odd) NewTicker(time.Duration) clock.Ticker {
	return c.RealClock.NewTicker(50 * time.Millisecond)
}

func oddly(by time.Duration) (*atomic.Int64, func(*prober.Options)) {
	set := &atomic.Int64{}
	set.Store(int64(by))
	return set, func(o *prober.Options) { o.Clock = odd{by: set} }
}

// A clock that was a day ahead, and is set right, stops nothing for a day: neither runs, nor what they say, nor its end.
func TestAClockThatIsSetBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var code atomic.Int64
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return exits(code.Load(), "") }
	by, clocked := oddly(24 * time.Hour)
	s.probe("dns", everySecond)
	s.start(clocked)
	s.until("it does not pass", func() bool { return s.stand("dns", "").State == probing.Passing })
	by.Store(0)
	s.until("for how long it counts is still by the clock of before", func() bool {
		return s.stand("dns", "").Until.Before(time.Now().Add(16 * time.Minute))
	})
	code.Store(1)
	s.until("that it fails is not heard", func() bool { return s.stand("dns", "").State == probing.Failing })
}

// What a prober that began anew says of what it has read is what the server takes.
func TestWhatIsReadAgainCanBeSaid(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return exits(0, "") }
	s.probe("etcd")
	s.probe("never", func(c *probing.Config) { c.Spec.Schedule.Cron = "0 0 1 1 *" })
	r := s.run("etcd", "", "1")
	_, clocked := oddly(0)
	s.start(clocked)
	s.done(r)
	s.until("what was found is not written", func() bool {
		return slices.ContainsFunc(s.configs(), func(c probing.Config) bool { return len(c.Status.Targets) > 0 })
	})
	s.stop()
	s.mu.Lock()
	s.said = nil
	s.mu.Unlock()
	s.start(clocked)
	s.until("nothing is said of it", func() bool { return s.stand("etcd", "").State != "" && s.stand("never", "").State != "" })
	if last := s.stand("etcd", "").Last; last == nil || last.ID == "" || last.Verdict != api.Passed {
		t.Errorf("its last result is %+v", last)
	}
	if never := s.stand("never", ""); never.Last != nil || never.State != probing.Unknown {
		t.Errorf("of what never ran it is said: %+v", never)
	}
}

// A case of nodes is known at each node; where no run was yet that is Unknown, and of the cluster as a whole there is nothing to know.
func TestACaseOfNodesHasNoOtherStand(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return exits(0, "") }
	s.node("n1", true)
	s.node("n2", true)
	_, clocked := oddly(0)
	s.probe("node-life", func(c *probing.Config) {
		c.Spec.Target.Kind = probing.OfNodes
		c.Spec.Schedule.Cron = "0 0 1 1 *"
	})
	s.start(clocked)
	s.until("nodes that nobody looked at are not said to be unknown", func() bool {
		return s.stand("node-life", "n1").State == probing.Unknown && s.stand("node-life", "n2").State == probing.Unknown
	})
	s.done(s.run("node-life", "n1", "1"))
	s.until("it does not pass at the node", func() bool { return s.stand("node-life", "n1").State == probing.Passing })
	if got := s.stand("node-life", ""); got.State != "" {
		t.Errorf("something is said of no node: %+v", got)
	}
	s.mu.Lock()
	s.said = nil
	s.mu.Unlock()
	s.Delete(&unstructured.Unstructured{Object: object{"apiVersion": "v1", "kind": "Node", "metadata": object{"name": "n2"}}})
	s.until("a node that is gone stays unknown for ever", func() bool { return s.stand("node-life", "n2").State == probing.Paused })
}

// Runs that people write by hand are bounded as those that the prober makes.
func TestOddRuns(t *testing.T) {
	hand := probing.Cause{Kind: probing.ByHand, Key: "1"}
	for _, c := range []struct {
		reason string
		name   string
		spec   probing.RunSpec
		code   string
	}{
		{"a name that is longer than a label", strings.Repeat("x", 253), probing.RunSpec{Case: "etcd", Cause: hand}, "PodInvalid"},
		{"as if it were a resident's", "r", probing.RunSpec{Case: "etcd", Cause: probing.Cause{Kind: probing.ByMode, Key: "1/"}}, "PodInvalid"},
		{"of a case that is not there", "r", probing.RunSpec{Case: "none", Cause: hand}, "NoCase"},
		{"of a target that no pod can be told", "r", probing.RunSpec{Case: "etcd", Target: strings.Repeat("x", 253), Cause: hand}, ""},
	} {
		t.Run(c.reason, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.Kubelet = func(*unstructured.Unstructured) map[string]any { return exits(0, "") }
			s.probe("etcd")
			s.start()
			s.until("the case is not seen", func() bool { return s.configs()[0].Status.ObservedGeneration > 0 })
			r := &probing.Run{
				TypeMeta:   metav1.TypeMeta{APIVersion: probing.GroupVersion.String(), Kind: probing.KindRun},
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: c.name}, Spec: c.spec,
			}
			s.put(r)
			got := s.done(r)
			verdict := api.Error
			if c.code == "" {
				verdict = api.Passed
			}
			if got.Status.Result.Verdict != verdict || got.Status.Result.Code != c.code {
				t.Errorf("it is %+v", got.Status.Result)
			}
			if n := created(s); c.code != "" && n > 0 {
				t.Errorf("%d pods are made", n)
			}
		})
	}
}

// A status that somebody else has written ends nobody.
func TestAStatusThatIsHalfWritten(t *testing.T) {
	for phase, code := range map[string]string{"Done": "PodInvalid", "Running": "Deleted"} {
		t.Run(phase, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.probe("etcd")
			r := s.run("etcd", "", "1")
			live := s.Object(&unstructured.Unstructured{Object: object{
				"apiVersion": "sluice.dev/v1alpha1", "kind": probing.KindRun, "metadata": object{"namespace": namespace, "name": r.Name},
			}})
			live.Object["status"] = object{"phase": phase, "pod": "none"}
			s.Put(live)
			s.start()
			if got := s.done(r).Status.Result; got.Verdict != api.Error || got.Code != code {
				t.Errorf("it is %+v", got)
			}
		})
	}
}

// Of two cases of one name the older one runs, whichever is seen first, and nothing is said of the other one's runs.
func TestTheNameOfACaseIsWhoseItWas(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return exits(1, "") }
	stranger := func(c *probing.Config) { c.Namespace = "zz-stranger" }
	s.put(&corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: metav1.ObjectMeta{Name: "zz-stranger"}})
	s.probe("etcd", stranger)
	s.start()
	s.until("the stranger's is not seen", func() bool { return s.configs()[0].Status.ObservedGeneration > 0 })
	for range 2 { // the first time it is made now
		s.probe("etcd", func(c *probing.Config) { c.CreationTimestamp = metav1.NewTime(time.Now().Add(-time.Hour)) })
	}
	problem := func(in string) string {
		for _, c := range s.configs() {
			if c.Namespace == in {
				return c.Status.Problem
			}
		}
		return ""
	}
	s.until("the stranger's keeps the name", func() bool {
		return strings.Contains(problem("zz-stranger"), namespace) && problem(namespace) == ""
	})
	if got := s.done(s.run("etcd", "", "1")).Status.Result; got.Code != "ExitStatus" {
		t.Errorf("the run of the older one is %+v", got)
	}
	said := len(s.outcomes())
	theirs := &probing.Run{
		TypeMeta:   metav1.TypeMeta{APIVersion: probing.GroupVersion.String(), Kind: probing.KindRun},
		ObjectMeta: metav1.ObjectMeta{Namespace: "zz-stranger", Name: "r"},
		Spec:       probing.RunSpec{Case: "etcd", Cause: probing.Cause{Kind: probing.ByHand, Key: "2"}},
	}
	s.put(theirs)
	if got := s.done(theirs).Status.Result; got.Verdict != api.Error || got.Code != "PodInvalid" {
		t.Errorf("the stranger's run is %+v", got)
	}
	if n := len(s.outcomes()); n != said {
		t.Errorf("%d outcomes are said of the stranger's runs", n-said)
	}
}
