package prober_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/prober"
	"sluice.dev/sluice/internal/probing"
)

// created counts the pods that were made.
func created(s *site) (n int) {
	for _, w := range s.Writes() {
		if strings.HasPrefix(w.String(), "create Pod/") {
			n++
		}
	}
	return n
}

// TestKilledAtAnyMoment has a prober die after each of its writes, and another one go on: the case runs once, and counts once.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	for writes := int32(0); ; writes++ {
		died := true
		t.Run(fmt.Sprintf("after %d writes", writes), func(t *testing.T) {
			s := newSite(t)
			s.Kubelet = func(*unstructured.Unstructured) map[string]any { return exits(0, "fine") }
			var done atomic.Int32
			var dead atomic.Bool
			s.setBefore(func(kubetest.Write) int {
				if dead.Load() || done.Add(1) > writes {
					dead.Store(true)
					return http.StatusInternalServerError
				}
				return 0
			})
			s.probe("pod-life")
			r := s.run("pod-life", "", "1")
			s.start()
			s.until("it neither dies nor comes to an end", func() bool {
				all := s.runs()
				return dead.Load() || all[0].Status.Told && len(s.configs()[0].Status.Targets) == 1
			})
			died = dead.Load()
			s.stop()
			dead.Store(false)
			done.Store(-1000)
			s.start()
			got := s.done(r)
			if n := created(s); n != 1 {
				t.Errorf("%d pods are made", n)
			}
			if got.Status.Result.Verdict != api.Passed {
				t.Errorf("it is %+v", got.Status.Result)
			}
			if o := s.outcomes(); len(o) != 1 || o[0].ID != string(got.UID) {
				t.Errorf("these outcomes are said: %+v", o)
			}
			s.until("what it says is not in the status", func() bool { return len(s.configs()[0].Status.Targets) == 1 })
			if st := s.configs()[0].Status.Targets[0]; st.Recent != "P" || st.Streak != 1 || st.Run != r.Name {
				t.Errorf("it counts as %q, %d in a row, of %s", st.Recent, st.Streak, st.Run)
			}
		})
		if !died || t.Failed() {
			if writes < 5 {
				t.Errorf("it dies after %d writes only", writes)
			}
			return
		}
	}
}

// Two probers of one cluster, and two causes that are the same, make one run and one pod.
func TestFailureMode_P02_OneExecutionOfACause(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return exits(0, "fine") }
	s.probe("dns", func(c *probing.Config) {
		c.Spec.Events = []probing.EventSpec{{On: probing.NodeNew}}
	})
	s.start()
	one := s.prober
	s.start()
	two := s.prober
	e := probing.Event{Kind: probing.NodeNew, Name: "n1", Key: "n1/uid-1", At: time.Now()}
	s.until("no case answers", func() bool {
		one.Happened(t.Context(), "eu-1", e)
		two.Happened(t.Context(), "eu-1", e)
		return len(s.runs()) > 0
	})
	s.until("it is not over", func() bool { return s.runs()[0].Status.Told })
	one.Happened(t.Context(), "eu-1", e)
	two.Happened(t.Context(), "eu-1", e)
	time.Sleep(300 * time.Millisecond)
	if n := created(s); n != 1 || len(s.runs()) != 1 {
		t.Errorf("there are %d runs, and %d pods were made", len(s.runs()), n)
	}
	if o := s.outcomes(); len(o) != 1 {
		t.Errorf("%d outcomes are said", len(o))
	}
}

// A report that cannot be written is not answered: the program says it again.
func TestAReportThatCannotBeWrittenIsNotAnswered(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return running() }
	s.probe("etcd")
	r := s.run("etcd", "", "1")
	s.start()
	s.until("no pod runs", func() bool { return len(s.pods()) == 1 && s.runs()[0].Status.Pod != "" })
	var refused atomic.Int32
	s.setBefore(func(w kubetest.Write) int {
		if strings.Contains(w.String(), "ProbeRun/") && refused.Add(1) <= 2 {
			return http.StatusInternalServerError
		}
		return 0
	})
	if code := s.report(s.pods()[0], `{"OK": true, "Errors": []}`); code != 200 {
		t.Errorf("it is answered with %d", code)
	}
	if got := s.runs()[0].Status; refused.Load() < 3 || got.Phase != probing.RunDone || got.Result.Verdict != api.Passed {
		t.Errorf("it was answered with 200, and after %d tries there is %+v", refused.Load(), got)
	}
	s.done(r)
}

// Right after its start a prober does not know all runs: whoever reports one is not sent away, but heard when it does.
func TestAReportThatComesBeforeItsRunIsSeen(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return running() }
	s.probe("etcd")
	r := s.run("etcd", "", "1")
	s.start()
	s.until("no pod runs", func() bool { return len(s.pods()) == 1 && s.runs()[0].Status.Pod != "" })
	s.stop()
	p := s.pods()[0]
	s.Away(true) // the next one sees no run yet
	s.start(func(o *prober.Options) { o.Settles = time.Minute })
	time.AfterFunc(time.Second, func() { s.Away(false) })
	if code := s.report(p, `{"OK": false, "Errors": ["gone"]}`); code != 200 {
		t.Errorf("it is answered with %d", code)
	}
	if got := s.done(r).Status.Result; got.By != "report" || got.Verdict != api.Failed {
		t.Errorf("it is %+v", got)
	}
}
