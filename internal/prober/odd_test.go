package prober_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/control"
	"sluice.dev/sluice/internal/kubetest"
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
	s.put(&corev1.Namespace{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: metav1.ObjectMeta{Name: "zz-stranger"},
	})
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

// A run that is refused keeps no other one from being made.
func TestARunThatIsRefusedKeepsNoOtherBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return exits(0, "") }
	for i := range 30 {
		s.node(fmt.Sprintf("n%d", i), true)
	}
	posted := func(name string) func(*probing.Config) {
		return func(c *probing.Config) {
			c.Spec.Events = []probing.EventSpec{{On: probing.Posted, Names: []string{name}}}
		}
	}
	s.probe("bad", posted("bad"), func(c *probing.Config) { c.Spec.Target.Kind = probing.OfNodes })
	s.probe("good", posted("good"))
	s.setBefore(func(w kubetest.Write) int {
		if w.Verb == "create" && strings.Contains(w.Body, `"case":"bad"`) {
			return http.StatusForbidden
		}
		return 0
	})
	s.start()
	s.until("the cases are not seen", func() bool {
		return !slices.ContainsFunc(s.configs(), func(c probing.Config) bool { return c.Status.ObservedGeneration == 0 })
	})
	began := time.Now()
	s.prober.Happened(t.Context(), "eu-1", probing.Event{Kind: probing.Posted, Name: "bad", Key: "1", At: began})
	time.Sleep(50 * time.Millisecond)
	s.prober.Happened(t.Context(), "eu-1", probing.Event{Kind: probing.Posted, Name: "good", Key: "2", At: began})
	s.until("the run is not made", func() bool { return len(s.runs()) == 1 })
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it is made after %s", took)
	}
	s.setBefore(nil)
	s.until("those that were refused are forgotten", func() bool { return len(s.runs()) == 31 })
}

// A cluster that cannot be seen keeps no report from those of others, also of programs that do not say which run is theirs.
func TestAClusterThatIsNotSeenKeepsNoReportBack(t *testing.T) {
	t.Parallel()
	s, other := newSite(t), newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any {
		status := running()
		status["podIP"] = "127.0.0.1"
		return status
	}
	other.Forbid("pods")
	s.probe("etcd", func(c *probing.Config) { c.Spec.Pod.Contract = probing.ContractV2 })
	r := s.run("etcd", "", "1")
	s.start()
	k := &control.Keeper{
		Controllers: []control.Controller{s.prober.Controller()}, Clock: clock.RealClock{}, Logger: slog.New(slog.DiscardHandler),
	}
	ctx, stop := context.WithCancel(context.Background())
	k.Want(ctx, []control.Cluster{{Name: "us-1", Config: func() (*rest.Config, error) { return other.config(), nil }}})
	t.Cleanup(func() {
		stop()
		k.Wait()
	})
	s.until("no pod runs", func() bool { return len(s.pods()) == 1 && s.runs()[0].Status.Pod != "" })
	time.Sleep(time.Second) // until the other one is asked
	began := time.Now()
	if code := s.reportAs("", s.reports.URL+"/externalCheckStatus", `{"OK": true, "Errors": []}`); code != 200 {
		t.Errorf("it is answered with %d", code)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it is answered after %s", took)
	}
	if got := s.done(r).Status.Result; got.By != "report" || got.Verdict != api.Passed {
		t.Errorf("it is %+v", got)
	}
}

// Who reports for a run that has no pod yet has guessed it: that ends no run.
func TestAReportOfARunThatHasNotBegun(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return running() }
	s.probe("etcd")
	first, second := s.run("etcd", "", "1"), s.run("etcd", "", "2")
	s.start()
	s.until("no pod runs", func() bool { return len(s.pods()) == 1 })
	waiting := second
	if s.pods()[0].Labels[probing.LabelRun] == second.Name {
		waiting = first
	}
	uid := ""
	for _, r := range s.runs() {
		if r.Name == waiting.Name {
			uid = string(r.UID)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, s.reports.URL+"/check", strings.NewReader(`{"OK": true, "Errors": []}`))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("kh-run-uuid", uid)
	q.Header.Set("Content-Type", "application/json")
	if a, err := http.DefaultClient.Do(q); err == nil {
		_ = a.Body.Close()
		t.Errorf("it is answered with %d", a.StatusCode)
	}
	for _, r := range s.runs() {
		if r.Name == waiting.Name && r.Status.Phase != probing.RunPending {
			t.Errorf("it is %+v", r.Status)
		}
	}
}

// What a clock that was ahead has run for slots that are yet to come is no run of theirs.
func TestSlotsThatAClockHadAhead(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return exits(0, "") }
	s.probe("dns", func(c *probing.Config) {
		c.Spec.Schedule.Every.Duration, c.Spec.Schedule.Jitter.Duration = time.Hour, time.Millisecond
	})
	slot := time.Now().Truncate(time.Hour).Add(time.Hour)
	live, ahead := s.All(probing.KindConfig)[0], slot.Add(2*time.Second).UTC().Format(time.RFC3339)
	live.Object["status"] = object{"lastSlot": slot.UTC().Format(time.RFC3339)}
	s.Put(live)
	cause := probing.Cause{Kind: probing.BySchedule, Key: slot.UTC().Format(time.RFC3339Nano), At: &slot}
	s.put(&probing.Run{
		TypeMeta: metav1.TypeMeta{APIVersion: probing.GroupVersion.String(), Kind: probing.KindRun},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: probing.RunName("dns", "", cause), Labels: map[string]string{probing.LabelCase: "dns"},
		},
		Spec: probing.RunSpec{Case: "dns", Cause: cause},
	})
	was := s.All(probing.KindRun)[0]
	was.Object["status"] = object{"phase": "Done", "told": true, "started": ahead, "ended": ahead, "result": object{"verdict": "Passed"}}
	s.Put(was)
	by, clocked := oddly(time.Until(slot) - time.Minute)
	s.start(clocked)
	s.until("nobody sees that its slot is yet to come", func() bool { return s.configs()[0].Status.LastSlot.Time.Before(slot) })
	by.Add(int64(time.Minute))
	live = s.All(probing.KindConfig)[0]
	live.SetAnnotations(map[string]string{"somebody": "writes"}) // or it is looked at in a minute
	s.Put(live)
	s.until("it does not run when its slot comes", func() bool { return len(s.pods()) > 0 })
}
