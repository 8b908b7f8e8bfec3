package podrun_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/clock"
	testclock "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/pod"
	"sluice.dev/sluice/internal/podrun"
)

type object = map[string]any

// site is a cluster by a clock that the test moves.
type site struct {
	*kubetest.Server
	t      *testing.T
	clock  *testclock.FakeClock
	timers atomic.Int32 // that those who run pods have made
}

// telling is the clock of those who run pods.
type telling struct {
	*testclock.FakeClock
	timers *atomic.Int32
}

func (c telling) NewTimer(d time.Duration) clock.Timer {
	defer c.timers.Add(1)
	return c.FakeClock.NewTimer(d)
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{Server: kubetest.New(t), t: t, clock: testclock.NewFakeClock(time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC))}
	s.Clock = s.clock
	return s
}

func made(t *testing.T, key string) *corev1.Pod {
	t.Helper()
	p, err := pod.Make(pod.Spec{
		Purpose: "job", Key: key, Namespace: kube.LeaseNamespace, Image: "registry.example/canary:1", Profile: pod.Restricted, KeepFailed: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// state is a pod's status with its container's state.
func (s *site) state(phase, kind string, fields object) object {
	return object{"phase": phase, "containerStatuses": []any{object{"name": "main", "state": object{kind: fields}}}}
}

func (s *site) exits(code int64, message string) object {
	phase, at := "Succeeded", s.clock.Now().UTC().Format(time.RFC3339)
	if code != 0 {
		phase = "Failed"
	}
	return s.state(phase, "terminated", object{"exitCode": code, "message": message, "startedAt": at, "finishedAt": at})
}

// becomes gives a pod another status.
func (s *site) becomes(p *corev1.Pod, status object) {
	s.t.Helper()
	live := s.Object(&unstructured.Unstructured{Object: object{
		"apiVersion": "v1", "kind": "Pod", "metadata": object{"namespace": p.Namespace, "name": p.Name},
	}})
	if live == nil {
		s.t.Fatalf("there is no pod %s", p.Name)
	}
	live.Object["status"] = status
	s.Put(live)
}

// run runs a pod beside the test.
func (s *site) run(ctx context.Context, c *kube.Cluster, p *corev1.Pod) func() (pod.End, error) {
	var end pod.End
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		end, err = (&podrun.Runner{Clock: telling{s.clock, &s.timers}}).Run(ctx, c, p, 2*time.Minute)
	}()
	return func() (pod.End, error) { <-done; return end, err }
}

// until waits for what comes by itself in no time.
func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !met(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

func (s *site) pods() int { return len(s.All("Pod")) }

func TestAPodRunsToItsEnd(t *testing.T) {
	for _, c := range []struct {
		reason string
		status func(*site) object
		want   pod.End
		stays  bool
	}{
		{"it succeeds", func(s *site) object { return s.exits(0, "fine") }, pod.End{Said: "fine"}, true},
		{"it fails, and can be looked at", func(s *site) object { return s.exits(1, "no") }, pod.End{Exit: 1, Said: "no"}, true},
		{"its image does not come, and must not come later either", func(s *site) object {
			return s.state("Pending", "waiting", object{"reason": "ImagePullBackOff", "message": "no such image"})
		}, pod.End{Reason: "ImagePullBackOff", Said: "no such image"}, false},
	} {
		t.Run(c.reason, func(t *testing.T) {
			s := newSite(t)
			s.Kubelet = func(*unstructured.Unstructured) map[string]any { return c.status(s) }
			end, err := s.run(t.Context(), s.Cluster(), made(t, "k"))()
			if err != nil || end != c.want {
				t.Errorf("it ended with %+v, %v; want %+v", end, err, c.want)
			}
			if there := s.pods() == 1; there != c.stays {
				t.Errorf("it is still there: %t", there)
			}
		})
	}
}

// TestAPodThatIsAskedForAgainIsTheSame: killed at any moment and asked again, and by two workers at once.
func TestAPodThatIsAskedForAgainIsTheSame(t *testing.T) {
	s := newSite(t)
	c := s.Cluster()
	ctx, kill := context.WithCancel(t.Context())
	first := s.run(ctx, c, made(t, "k"))
	until(t, "no pod is made", func() bool { return s.pods() == 1 })
	kill()
	if end, err := first(); !errors.Is(err, context.Canceled) {
		t.Fatalf("what was cut short ended with %+v, %v", end, err)
	}
	var both sync.WaitGroup
	ends := make([]pod.End, 2)
	for i := range ends {
		other := s.Cluster() // of another process
		both.Go(func() {
			var err error
			if ends[i], err = s.run(t.Context(), other, made(t, "k"))(); err != nil {
				t.Error(err)
			}
		})
	}
	s.becomes(made(t, "k"), s.exits(3, "no"))
	both.Wait()
	late, err := s.run(t.Context(), c, made(t, "k"))()
	if want := (pod.End{Exit: 3, Said: "no"}); err != nil || ends[0] != want || ends[1] != want || late != want {
		t.Errorf("they heard %+v, and who came late %+v, %v", ends, late, err)
	}
	created := 0
	for _, w := range s.Writes() {
		if strings.HasPrefix(w.String(), "create Pod/") {
			created++
		}
	}
	if created != 1 {
		t.Errorf("%d pods were made", created)
	}
}

// TestTwoWhoMakeOnePodAtOnce has somebody else make the pod between the look and the write.
func TestTwoWhoMakeOnePodAtOnce(t *testing.T) {
	for _, c := range []struct {
		reason string
		key    string
		code   fault.Code
	}{
		{"the same pod is waited for", "k", ""},
		{"a stranger of its name is left alone", "of somebody else", fault.Conflict},
	} {
		t.Run(c.reason, func(t *testing.T) {
			s := newSite(t)
			var once sync.Once
			s.Before = func(w kubetest.Write) int {
				if !strings.HasPrefix(w.String(), "create Pod/") {
					return 0
				}
				once.Do(func() {
					p := &unstructured.Unstructured{Object: object{"apiVersion": "v1", "kind": "Pod", "status": s.exits(0, "theirs")}}
					p.SetNamespace(kube.LeaseNamespace)
					p.SetName(pod.Name("job", "k"))
					p.SetLabels(map[string]string{pod.LabelPurpose: "job"})
					p.SetAnnotations(map[string]string{"sluice.dev/key": c.key})
					s.Put(p)
				})
				return 0
			}
			end, err := s.run(t.Context(), s.Cluster(), made(t, "k"))()
			if fault.CodeOf(err) != c.code || err == nil && end.Said != "theirs" || s.pods() != 1 {
				t.Errorf("%+v, %v, and %d pods", end, err, s.pods())
			}
		})
	}
}

func TestAPodThatDoesNotBegin(t *testing.T) {
	for _, c := range []struct {
		reason string
		status object
		says   string
	}{
		{"no node takes it", object{"phase": "Pending", "conditions": []any{object{
			"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available",
		}}}, "Unschedulable: 0/3 nodes are available"},
		{"nobody has looked at it", nil, "it has no node yet"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			s := newSite(t)
			ended := s.run(t.Context(), s.Cluster(), made(t, "k"))
			until(t, "no pod is made", func() bool { return s.pods() == 1 })
			until(t, "nobody waits", func() bool { return s.timers.Load() >= 2 })
			if c.status != nil {
				s.becomes(made(t, "k"), c.status)
				until(t, "nobody has seen why", func() bool { return s.timers.Load() >= 3 })
			}
			s.clock.Step(2 * time.Minute)
			end, err := ended()
			if err != nil || end.Reason != pod.NotStarted || end.Said != c.says {
				t.Errorf("it ended with %+v, %v; want %q", end, err, c.says)
			}
			if s.pods() != 0 {
				t.Error("it may still begin, and nobody waits for it any more")
			}
		})
	}
}

func TestAPodThatHasBegunIsWaitedForAsLongAsItTakes(t *testing.T) {
	s := newSite(t)
	ended := s.run(t.Context(), s.Cluster(), made(t, "k"))
	until(t, "no pod is waited for", func() bool { return s.pods() == 1 && s.timers.Load() >= 2 })
	s.becomes(made(t, "k"), s.state("Running", "running", object{}))
	until(t, "nobody has seen that it runs", func() bool { return s.timers.Load() >= 3 })
	s.clock.Step(3 * time.Hour)
	s.becomes(made(t, "k"), s.exits(0, ""))
	if end, err := ended(); err != nil || end != (pod.End{}) {
		t.Errorf("it ended with %+v, %v", end, err)
	}
}

func TestAPodThatSomebodyTakesAwayHasNotSucceeded(t *testing.T) {
	s := newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return s.state("Running", "running", object{}) }
	c := s.Cluster()
	ended := s.run(t.Context(), c, made(t, "k"))
	until(t, "no pod runs", func() bool { return s.pods() == 1 && s.timers.Load() >= 2 })
	s.Delete(s.All("Pod")...)
	if end, err := ended(); err != nil || end.Reason != pod.Deleted {
		t.Errorf("it ended with %+v, %v", end, err)
	}
}

func TestWhatCannotBeMadeIsAnError(t *testing.T) {
	for _, c := range []struct {
		reason string
		status int
		code   fault.Code
	}{
		{"a quota, or a standard that the namespace enforces", http.StatusForbidden, fault.Unauthorized},
		{"an API server without etcd", http.StatusInternalServerError, fault.Unreachable},
	} {
		t.Run(c.reason, func(t *testing.T) {
			s := newSite(t)
			s.Before = func(kubetest.Write) int { return c.status }
			if end, err := s.run(t.Context(), s.Cluster(), made(t, "k"))(); fault.CodeOf(err) != c.code {
				t.Errorf("it ended with %+v, %v", end, err)
			}
		})
	}
}

func TestFailureMode_P03(t *testing.T) {
	s := newSite(t)
	s.Kubelet = func(p *unstructured.Unstructured) map[string]any {
		if p.GetAnnotations()["sluice.dev/key"] == "long" {
			return s.state("Running", "running", object{})
		}
		return s.exits(1, "")
	}
	c := s.Cluster()
	within, cancel := context.WithCancel(t.Context())
	long := s.run(within, c, made(t, "long"))
	until(t, "no pod runs", func() bool { return s.pods() == 1 })
	for i := range 3 {
		if _, err := s.run(t.Context(), c, made(t, fmt.Sprint(i)))(); err != nil {
			t.Fatal(err)
		}
	}
	s.clock.Step(time.Hour - time.Second)
	if s.pods() != 4 {
		t.Errorf("people can look at %d pods for an hour, want 4", s.pods())
	}
	s.clock.Step(time.Second)
	until(t, "what has failed is not taken away after an hour", func() bool { return s.pods() == 1 })

	// What a worker that was killed has left is taken away by the next one that runs anything.
	left := made(t, "left")
	if _, err := (&podrun.Runner{Clock: testclock.NewFakeClock(s.clock.Now())}).Run(t.Context(), s.Cluster(), left, time.Minute); err != nil {
		t.Fatal(err)
	}
	s.clock.Step(time.Hour)
	if _, err := s.run(t.Context(), s.Cluster(), made(t, "next"))(); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, p := range s.All("Pod") {
		keys = append(keys, p.GetAnnotations()["sluice.dev/key"])
	}
	if got := strings.Join(keys, " "); strings.Contains(got, "left") || !strings.Contains(got, "long") || !strings.Contains(got, "next") {
		t.Errorf("there are %q: those that run stay, and those that are new", got)
	}
	cancel()
	if end, err := long(); err == nil { // cancelled, or out of touch: the clock was put on by hours
		t.Errorf("it ended with %+v", end)
	}
}
