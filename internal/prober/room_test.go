package prober_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/prober"
	"sluice.dev/sluice/internal/probing"
)

// unscheduled is a pod that no node has room for.
func unscheduled(says string) object {
	return object{"phase": "Pending", "conditions": []any{
		object{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": says},
	}}
}

// touched has a run be looked at.
func (s *site) touched(name string) {
	live := s.Object(&unstructured.Unstructured{Object: object{
		"apiVersion": "sluice.dev/v1alpha1", "kind": probing.KindRun, "metadata": object{"namespace": namespace, "name": name},
	}})
	live.SetAnnotations(map[string]string{"touched": time.Now().Format(time.RFC3339Nano)})
	s.Put(live)
}

// In a cluster without room nobody looks, which is no fault of anything; pods that wait for room do not pile up.
func TestAClusterWithoutRoom(t *testing.T) {
	const full = "0/3 nodes are available: 3 Insufficient cpu"
	for _, c := range []struct {
		reason string
		full   func(s *site)
		code   string
		says   string
	}{
		{"its nodes are full", func(s *site) {
			s.Kubelet = func(*unstructured.Unstructured) map[string]any { return unscheduled(full) }
		}, "NotStarted", full},
		{"the quota of the namespace is used up", func(s *site) {
			s.setBefore(func(w kubetest.Write) int {
				if strings.HasPrefix(w.String(), "create Pod/") {
					return http.StatusForbidden
				}
				return 0
			})
		}, "PodRefused", "does not take its pod"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			c.full(s)
			set, clocked := oddly(0)
			s.probe("pod-life")
			s.start(clocked)
			for round := range 4 {
				r := s.run("pod-life", "", fmt.Sprint(round))
				s.until("it is neither over nor waits for a node", func() bool {
					waits := false
					for _, p := range s.pods() {
						waits = waits || p.Status.Phase == "Pending"
					}
					return waits || s.phaseOf(r) == probing.RunDone
				})
				if n := len(s.pods()); n > 1 {
					t.Fatalf("%d pods wait for room", n)
				}
				set.Add(int64(2*time.Minute + time.Second))
				s.touched(r.Name)
				got := s.done(r).Status.Result
				if got.Verdict != api.Error || got.Code != c.code || !strings.Contains(got.Message, c.says) {
					t.Errorf("%s %s: %q; want %s: %q", got.Verdict, got.Code, got.Message, c.code, c.says)
				}
				s.until("its pod is left", func() bool { return len(s.pods()) == 0 })
			}
			if st := s.stand("pod-life", ""); st.State == probing.Failing || st.State == probing.Passing {
				t.Errorf("nobody has looked, and it is %s", st.State)
			}
			s.setBefore(nil)
			s.Kubelet = func(*unstructured.Unstructured) map[string]any { return exits(0, "") }
			if got := s.done(s.run("pod-life", "", "once there is room")).Status.Result; got.Verdict != api.Passed {
				t.Errorf("once there is room it is %+v", got)
			}
		})
	}
}

func (s *site) phaseOf(r *probing.Run) probing.RunPhase {
	for _, one := range s.runs() {
		if one.Name == r.Name {
			return one.Status.Phase
		}
	}
	return ""
}

// A run that waits for others is given up after a while: nobody who waits for it waits for ever.
func TestARunThatFindsNoRoom(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return running() }
	set, clocked := oddly(0)
	for _, name := range []string{"first", "second"} {
		s.probe(name, func(c *probing.Config) { c.Spec.Timeout = metav1.Duration{Duration: 2 * time.Hour} })
	}
	first := s.run("first", "", "1")
	s.start(clocked, func(o *prober.Options) { o.AtOnce = 1 })
	s.until("no pod runs", func() bool { return len(s.pods()) == 1 && s.phaseOf(first) == probing.RunRunning })
	second := s.run("second", "", "1")
	set.Add(int64(29 * time.Minute))
	s.touched(second.Name)
	time.Sleep(200 * time.Millisecond)
	if got := s.phaseOf(second); got != probing.RunPending {
		t.Errorf("after 29m it is %q", got)
	}
	set.Add(int64(2 * time.Minute))
	s.touched(second.Name)
	if got := s.done(second).Status.Result; got.Verdict != api.Error || got.Code != "NoRoom" {
		t.Errorf("it is %+v", got)
	}
	if n := created(s); n != 1 {
		t.Errorf("%d pods are made", n)
	}
}
