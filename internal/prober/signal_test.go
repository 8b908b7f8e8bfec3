package prober_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/prober"
	"sluice.dev/sluice/internal/probing"
)

// swift is a clock that may be put forward, and whose signals are looked at often.
type swift struct {
	clock.RealClock
	ahead atomic.Int64
}

func (c *swift) Now() time.Time { return c.RealClock.Now().Add(time.Duration(c.ahead.Load())) }

func (c *swift) NewTicker(d time.Duration) clock.Ticker {
	if d == 5*time.Second {
		d = 20 * time.Millisecond
	}
	return c.RealClock.NewTicker(d)
}

// signal is the one of the cluster; nil where there is none.
func (s *site) signal() *probing.Signal {
	for _, one := range read[probing.Signal](s, probing.KindSignal) {
		return &one
	}
	return nil
}

// says reports whether a signal has one condition only of cases, and what that and Healthy are.
func says(signal *probing.Signal, healthy, ofCase string) bool {
	if signal == nil || len(signal.Status.Conditions) == 0 {
		return false
	}
	var cases []string
	for _, c := range signal.Status.Conditions[1:] {
		cases = append(cases, c.Type+"="+string(c.Status))
	}
	return string(signal.Status.Conditions[0].Status)+" "+signal.Status.Conditions[0].Reason == healthy && strings.Join(cases, " ") == ofCase
}

// P08: what a cluster says of itself has an end, is renewed before it, and a case that goes takes its condition along.
func TestFailureMode_P08_WhatNobodyRenewsSaysNothing(t *testing.T) {
	t.Parallel()
	s, c := newSite(t), &swift{}
	var failing atomic.Bool
	s.Kubelet = func(*unstructured.Unstructured) map[string]any {
		if failing.Load() {
			return exits(1, "it is broken")
		}
		return exits(0, "fine")
	}
	withClock := func(o *prober.Options) { o.Clock = c }
	s.start(withClock)
	time.Sleep(100 * time.Millisecond)
	if s.signal() != nil {
		t.Error("a cluster without cases has a signal")
	}
	s.probe("etcd", func(c *probing.Config) {
		c.Spec.Schedule.Every = metav1.Duration{Duration: time.Hour}
		c.Spec.Enforcement.Mode = probing.Enforcing
	})
	s.until("nobody says that it is not known", func() bool { return says(s.signal(), "Unknown CasesUnknown", "case.sluice.dev/etcd=Unknown") })
	s.done(s.run("etcd", "", "1"))
	s.until("nobody says that it passes", func() bool { return says(s.signal(), "True CasesPass", "case.sluice.dev/etcd=True") })
	first := s.signal()
	if first.Spec.Type != probing.SignalOfCluster || first.Spec.TargetRef.Name != "eu-1" || first.Status.LookedSince == nil {
		t.Errorf("it is %+v", first)
	}
	left := first.Status.Until.Sub(c.Now())
	if left < 3*time.Minute || left > 5*time.Minute {
		t.Errorf("it counts for %v", left)
	}
	s.Server.Writes()
	time.Sleep(200 * time.Millisecond)
	for _, w := range s.Server.Writes() {
		if ofSignal(w) {
			t.Errorf("nothing has changed, and it is written: %s", w.Body)
		}
	}
	c.ahead.Store(int64(101 * time.Second))
	s.until("it is not renewed", func() bool { return s.signal().Status.Until.After(first.Status.Until.Time) })

	failing.Store(true)
	s.done(s.run("etcd", "", "2"))
	s.until("nobody says that it fails", func() bool { return says(s.signal(), "False CasesFail", "case.sluice.dev/etcd=False") })
	s.stop()
	s.start(withClock)
	time.Sleep(100 * time.Millisecond)
	if !says(s.signal(), "False CasesFail", "case.sluice.dev/etcd=False") {
		t.Errorf("one that begins anew says %+v", s.signal().Status)
	}
	s.Delete(&unstructured.Unstructured{Object: object{
		"apiVersion": probing.GroupVersion.String(), "kind": probing.KindConfig, "metadata": object{"namespace": namespace, "name": "etcd"},
	}})
	s.until("its condition stays", func() bool { return says(s.signal(), "Unknown NoCases", "") })
	last := s.signal().Status.Until
	c.ahead.Add(int64(101 * time.Second))
	time.Sleep(100 * time.Millisecond)
	if s.signal().Status.Until != last {
		t.Error("a cluster without cases says so for ever")
	}
}

// Who may not write signals runs probes all the same.
func TestASignalThatCannotBeWrittenHoldsUpNothing(t *testing.T) {
	t.Parallel()
	s, c := newSite(t), &swift{}
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return exits(0, "fine") }
	var tried atomic.Int32
	s.Before = func(w kubetest.Write) int {
		if ofSignal(w) {
			tried.Add(1)
			return http.StatusForbidden
		}
		return 0
	}
	s.start(func(o *prober.Options) { o.Clock = c })
	s.probe("etcd")
	s.done(s.run("etcd", "", "1"))
	time.Sleep(200 * time.Millisecond)
	if n := tried.Load(); n != 1 {
		t.Errorf("it is tried %d times at once", n)
	}
	c.ahead.Store(int64(61 * time.Second))
	s.until("nobody tries again", func() bool { return tried.Load() == 2 })
}
