package prober_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/prober"
	"sluice.dev/sluice/internal/probing"
)

func everySecond(c *probing.Config) {
	c.Spec.Schedule.Every.Duration, c.Spec.Schedule.Jitter.Duration = time.Second, time.Millisecond
}

// A case runs at its slots, one run at a time; a slot whose last run is not over is missed, counted and never caught up.
func TestACaseRunsWhenItIsDue(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var slow atomic.Bool
	s.Kubelet = func(*unstructured.Unstructured) map[string]any {
		if slow.Load() {
			return running()
		}
		return exits(0, "")
	}
	s.probe("dns", everySecond)
	s.start()
	s.until("it does not run by itself", func() bool {
		over := slices.DeleteFunc(s.runs(), func(r probing.Run) bool { return !r.Status.Told })
		return len(over) >= 3
	})
	for _, r := range s.runs() {
		if at, err := time.Parse(time.RFC3339Nano, r.Spec.Cause.Key); err != nil || at.Truncate(time.Second) != at || r.Spec.Cause.Kind != probing.BySchedule {
			t.Errorf("it ran for %+v, which is no slot", r.Spec.Cause)
		}
	}
	slow.Store(true)
	s.until("nothing is missed while a run is under way", func() bool { return s.configs()[0].Status.Missed >= 2 })
	under := 0
	for _, r := range s.runs() {
		if r.Status.Phase != probing.RunDone {
			under++
		}
	}
	if under != 1 {
		t.Errorf("%d runs of a case are under way at once", under)
	}
}

// What was due while nobody was there is counted, and does not run all at once.
func TestWhatWasDueIsNotCaughtUp(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return exits(0, "") }
	now := time.Now()
	s.probe("dns", func(c *probing.Config) {
		c.Spec.Schedule.Every.Duration, c.Spec.Schedule.Jitter.Duration = time.Minute, time.Millisecond
	})
	live := s.All(probing.KindConfig)[0]
	live.Object["status"] = object{"lastSlot": now.Add(-10 * time.Minute).Truncate(time.Minute).UTC().Format(time.RFC3339)}
	s.Put(live)
	s.start()
	s.until("nobody counts what was missed", func() bool { return s.configs()[0].Status.Missed >= 9 })
	if runs := s.runs(); len(runs) > 1 {
		t.Errorf("%d runs are made for ten slots", len(runs))
	}
	if missed := s.configs()[0].Status.Missed; missed > 10 {
		t.Errorf("%d of ten are missed", missed)
	}
}

// A prober that dies between two runs of a slot is followed by one that makes the other ones, and takes none that is made for missed.
func TestASlotThatIsHalfMade(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		reason string
		made   int           // runs of the slot before it died
		away   time.Duration // for how long nobody was there
		missed int64
	}{
		{"the rest of the slot is made", 2, 0, 0},
		{"all of it is made, and that is not written down", 4, 0, 0},
		{"it is too late for the rest of it, and for the next slot", 2, 90 * time.Minute, 2 + 4},
		{"all of it was made, and it is too late for the next slot", 4, 90 * time.Minute, 4},
	} {
		t.Run(c.reason, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.Kubelet = func(*unstructured.Unstructured) map[string]any { return running() }
			for i := range 4 {
				s.node(fmt.Sprintf("n%d", i), true)
			}
			s.probe("dns", func(c *probing.Config) {
				c.Spec.Schedule.Every.Duration, c.Spec.Schedule.Jitter.Duration = time.Hour, time.Millisecond
				c.Spec.Target.Kind, c.Spec.Pod.Profile = probing.OfNodes, "node"
			})
			slot := time.Now().Truncate(time.Hour).Add(time.Hour)
			live := s.All(probing.KindConfig)[0]
			live.Object["status"] = object{"lastSlot": slot.Add(-time.Hour).UTC().Format(time.RFC3339)}
			s.Put(live)
			by, clocked := oddly(time.Until(slot) + time.Second)
			var left atomic.Int64
			left.Store(int64(c.made))
			s.setBefore(func(w kubetest.Write) int {
				if strings.HasPrefix(w.String(), "create ProbeRun/") && left.Add(-1) < 0 || strings.HasSuffix(w.String(), "ProbeConfig/dns") {
					return http.StatusInternalServerError
				}
				return 0
			})
			s.start(clocked)
			s.until("it makes no run", func() bool { return len(s.runs()) == c.made && len(s.pods()) == c.made })
			s.stop()
			s.setBefore(func(w kubetest.Write) int { // what the first one has asked for may come yet
				if c.away > 0 && strings.HasPrefix(w.String(), "create ProbeRun/") {
					return http.StatusInternalServerError
				}
				return 0
			})
			by.Add(int64(c.away))
			s.start(clocked)
			s.until("the slot is not done with", func() bool {
				last := s.configs()[0].Status.LastSlot
				return last != nil && !last.Time.Before(slot.Add(c.away.Truncate(time.Hour)))
			})
			if got := s.configs()[0].Status.Missed; got != c.missed {
				t.Errorf("%d are missed, and not %d", got, c.missed)
			}
			want := c.made
			if c.away == 0 {
				want = 4
			}
			if n := len(s.runs()); n != want {
				t.Errorf("%d runs are made, and not %d", n, want)
			}
		})
	}
}

func TestACaseRunsByHand(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return exits(0, "") }
	s.probe("dns", func(c *probing.Config) { c.Annotations = map[string]string{probing.AnnotationRunNow: "once"} })
	s.start()
	s.until("it does not run", func() bool { return len(s.runs()) == 1 && s.configs()[0].Status.RunNow == "once" })
	r := s.done(&s.runs()[0])
	if r.Spec.Cause.Kind != probing.ByHand || r.Spec.Cause.Key != "once" {
		t.Errorf("it runs for %+v", r.Spec.Cause)
	}
	live := s.All(probing.KindConfig)[0]
	live.SetAnnotations(map[string]string{probing.AnnotationRunNow: "twice"})
	s.Put(live)
	s.until("another value is not another run", func() bool { return len(s.runs()) == 2 })
}

// A storm of events is one run that is under way and one that waits: that one sees whatever happens until it begins.
func TestAStormOfEventsIsTwoRuns(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return running() }
	s.probe("dns", func(c *probing.Config) { c.Spec.Events = []probing.EventSpec{{On: probing.Deployed}} })
	s.probe("other", func(c *probing.Config) { c.Spec.Events = []probing.EventSpec{{On: probing.NodeNew}} })
	s.start()
	happen := func(i int) {
		s.prober.Happened(t.Context(), "eu-1", probing.Event{
			Kind: probing.Deployed, Name: "Deployment/shop/web", Key: fmt.Sprint(i), Revision: fmt.Sprintf("r%d", i), At: time.Now(),
		})
	}
	s.until("no case answers", func() bool { happen(0); return len(s.runs()) > 0 })
	s.until("it does not begin", func() bool { return len(s.pods()) == 1 })
	began := time.Now()
	for i := range 10_000 {
		happen(1 + i)
	}
	if took := time.Since(began); took > 10*time.Second { // 1,000 a second
		t.Errorf("10,000 events take %s", took)
	}
	time.Sleep(500 * time.Millisecond)
	if n := len(s.runs()); n > 3 {
		t.Errorf("%d runs are made", n)
	}
	for _, r := range s.runs() {
		if r.Spec.Case != "dns" {
			t.Errorf("%s answers to what it is not bound to", r.Spec.Case)
		}
	}
	s.becomes(s.pods()[0], exits(0, ""))
	s.until("what waited does not run", func() bool { return len(s.pods()) >= 2 })
}

// What is told again, and what is new, come together while nobody takes runs: the new one is not taken for what was answered before.
func TestAnEventThatIsToldAgainHidesNoOther(t *testing.T) {
	for reason, keys := range map[string][]string{
		"what was told comes first": {"0", "1"}, "it comes last": {"1", "0"}, "it comes on both sides": {"0", "1", "0"},
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.Kubelet = func(*unstructured.Unstructured) map[string]any { return running() }
			named := func(name string) func(*probing.Config) {
				return func(c *probing.Config) {
					c.Spec.Events = []probing.EventSpec{{On: probing.Posted, Names: []string{name}}}
				}
			}
			s.probe("dns", named("dns"))
			s.probe("slow", named("slow"))
			s.start()
			happen := func(name, key string) {
				s.prober.Happened(t.Context(), "eu-1", probing.Event{Kind: probing.Posted, Name: name, Key: key, At: time.Now()})
			}
			s.until("the cases are not seen", func() bool {
				return !slices.ContainsFunc(s.configs(), func(c probing.Config) bool { return c.Status.ObservedGeneration == 0 })
			})
			happen("dns", "0")
			s.until("no case answers", func() bool { return len(s.runs()) > 0 })
			s.until("it does not begin", func() bool { return len(s.pods()) == 1 && s.runs()[0].Status.Pod != "" })
			hold, held := make(chan struct{}), make(chan struct{}, 1)
			s.setBefore(func(w kubetest.Write) int {
				if w.Verb == "create" && strings.Contains(w.Body, `"case":"slow"`) {
					select {
					case held <- struct{}{}:
					default:
					}
					<-hold
				}
				return 0
			})
			happen("slow", "x")
			<-held
			for _, key := range keys {
				happen("dns", key)
			}
			close(hold)
			s.until("what is new is not answered", func() bool {
				return slices.ContainsFunc(s.runs(), func(r probing.Run) bool { return r.Spec.Case == "dns" && r.Spec.Cause.Key == "1" })
			})
		})
	}
}

// 100 cases at once: all of them come to a verdict, and never do more run than may.
func TestCapsAreKept(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var most atomic.Int32
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return running() }
	for i := range 100 {
		s.probe(fmt.Sprintf("case-%d", i))
		s.run(fmt.Sprintf("case-%d", i), "", "1")
	}
	s.start(func(o *prober.Options) { o.AtOnce = 7 })
	s.until("not all come to an end", func() bool {
		under := int32(0)
		for _, p := range s.pods() {
			if p.Status.Phase == "Running" {
				under++
			}
		}
		most.Store(max(most.Load(), under))
		for _, p := range s.pods() {
			if p.Status.Phase == "Running" {
				s.becomes(p, exits(0, ""))
			}
		}
		over := 0
		for _, r := range s.runs() {
			if r.Status.Told && r.Status.Result.Verdict == api.Passed {
				over++
			}
		}
		return over == 100
	})
	if most.Load() > 7 || most.Load() < 2 {
		t.Errorf("%d ran at once, and 7 may", most.Load())
	}
}

// One node that is not well: what is about it says so, and is no fault of what others look at; nothing else goes there.
func TestFailureMode_P05_OneBadNode(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(p *unstructured.Unstructured) map[string]any { return exits(0, "") }
	for i := range 4 {
		s.node(fmt.Sprintf("n%d", i), i != 2)
	}
	s.probe("node-life", func(c *probing.Config) {
		c.Spec.Target.Kind, c.Spec.Pod.Profile = probing.OfNodes, "node"
		c.Annotations = map[string]string{probing.AnnotationRunNow: "1"}
	})
	s.probe("dns", func(c *probing.Config) { c.Annotations = map[string]string{probing.AnnotationRunNow: "1"} })
	s.start()
	s.until("not all are over", func() bool { return len(s.outcomes()) == 5 })
	for _, o := range s.outcomes() {
		want, code := api.Passed, ""
		if o.Target == "n2" {
			want, code = api.Error, "NodeNotReady"
		}
		if o.Verdict != want || o.Code != code {
			t.Errorf("%s at %q: %s %s %q", o.Case, o.Target, o.Verdict, o.Code, o.Message)
		}
	}
	if st := s.stand("node-life", "n2"); st.State != probing.Unknown {
		t.Errorf("of a node where nobody could look it says %s", st.State)
	}
	for _, p := range s.pods() {
		term := p.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0]
		only := len(term.MatchFields) == 1 && term.MatchFields[0].Values[0] != "n2"
		if p.Labels[probing.LabelCase] == "dns" {
			only = len(term.MatchExpressions) == 1 && slices.Equal(term.MatchExpressions[0].Values, []string{"n2"})
		}
		if !only {
			t.Errorf("pod of %s may go where it should not: %+v", p.Labels[probing.LabelCase], term)
		}
	}
}

// A pod that hangs where its node is lost has found nothing out about the cluster.
func TestFailureMode_P05_ANodeThatDiesUnderAProbe(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return running() }
	s.node("n1", true)
	s.probe("dns", func(c *probing.Config) { c.Spec.Timeout = metav1.Duration{Duration: time.Second} })
	r := s.run("dns", "", "1")
	s.start()
	s.until("no pod runs", func() bool { return len(s.pods()) == 1 })
	on := s.All("Pod")[0]
	if err := unstructured.SetNestedField(on.Object, "n1", "spec", "nodeName"); err != nil {
		t.Fatal(err)
	}
	s.Put(on)
	s.node("n1", false)
	got := s.done(r).Status
	if got.Result.Verdict != api.Error || got.Result.Code != "NodeNotReady" || got.Node != "n1" {
		t.Errorf("it is %+v on %q", got.Result, got.Node)
	}
}

// A case that runs each second leaves no more runs than people look at.
func TestRunsOfAScheduleAreThinned(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return exits(0, "") }
	s.probe("dns", everySecond)
	for i := range 120 {
		r := s.ended("dns", fmt.Sprint(i), time.Duration(i)*time.Second)
		live := s.Object(&unstructured.Unstructured{Object: object{
			"apiVersion": "sluice.dev/v1alpha1", "kind": probing.KindRun, "metadata": object{"namespace": namespace, "name": r.Name},
		}})
		live.SetLabels(map[string]string{probing.LabelCase: "dns"})
		if err := unstructured.SetNestedField(live.Object, string(probing.BySchedule), "spec", "cause", "kind"); err != nil {
			t.Fatal(err)
		}
		s.Put(live)
	}
	s.start()
	s.until("the oldest of 120 runs stay", func() bool { return len(s.runs()) <= 103 })
	if n := len(s.runs()); n < 100 {
		t.Errorf("%d runs are left", n)
	}
}
