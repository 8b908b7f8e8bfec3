package kube_test

import (
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/kubetest"
)

// clocked is a server whose clients go by a clock that the test moves.
func clocked(t *testing.T) (*testclock.FakeClock, *kubetest.Server) {
	t.Helper()
	clock := testclock.NewFakeClock(time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC))
	server := kubetest.New(t)
	server.Clock = clock
	return clock, server
}

func TestALeaseThatWasReadIsTakenForAShortTime(t *testing.T) {
	for _, c := range []struct {
		reason string
		after  time.Duration
		asked  int64
	}{
		{"at once", 0, 0},
		{"a moment later", 4 * time.Second, 0},
		{"somebody may have taken it since", 5 * time.Second, 1},
	} {
		t.Run(c.reason, func(t *testing.T) {
			clock, server := clocked(t)
			cluster := server.Cluster()
			spec := kube.LeaseSpec{Subject: api.Component("agent"), Installation: "east", Run: "run-1", Digest: "d1", Fence: 1}
			if _, err := kube.AcquireLease(t.Context(), cluster, spec); err != nil {
				t.Fatal(err)
			}
			taken := clock.Now()
			clock.Step(c.after)
			requests := cluster.Requests()
			before, err := kube.AcquireLease(t.Context(), cluster, spec)
			if err != nil || !before.Since.Equal(taken) {
				t.Errorf("it is held since %s, %v; want %s", before.Since, err, taken)
			}
			if asked := cluster.Requests() - requests; asked != c.asked {
				t.Errorf("it took %d requests, want %d", asked, c.asked)
			}
		})
	}
}

func TestAGuardWaitsForItsWatchBeforeItReadsTheLease(t *testing.T) {
	clock, server := clocked(t)
	cluster := server.Cluster()
	first := kube.LeaseSpec{Subject: api.Component("agent"), Installation: "east", Run: "run-1", Digest: "d1", Fence: 1}
	if _, err := kube.AcquireLease(t.Context(), cluster, first); err != nil {
		t.Fatal(err)
	}
	_, guard := kube.GuardLease(t.Context(), cluster, first)
	defer guard.Close()
	if err := guard.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Still(true)
	next := first
	next.Run, next.Fence = "run-2", 2
	if _, err := kube.AcquireLease(t.Context(), cluster, next); err != nil {
		t.Fatal(err)
	}
	requests, waiters := cluster.Requests(), clock.Waiters()
	_, newer := kube.GuardLease(t.Context(), cluster, next)
	defer newer.Close()
	checked := make(chan error, 1)
	go func() { checked <- newer.Check(t.Context()) }()
	for end := time.Now().Add(10 * time.Second); clock.Waiters() <= waiters && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	clock.Step(2*time.Second - 1)
	select {
	case err := <-checked:
		t.Fatalf("it did not wait for its watch: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	if asked := cluster.Requests() - requests; asked != 0 {
		t.Errorf("before two seconds are over it has made %d requests", asked)
	}
	clock.Step(1)
	if err := <-checked; err != nil {
		t.Errorf("the Lease is its own, and it says %v", err)
	}
	if asked := cluster.Requests() - requests; asked != 1 {
		t.Errorf("it took %d requests, want one", asked)
	}
}

func TestAWatchOutlivesItsLastViewForTwoMinutes(t *testing.T) {
	clock, server := clocked(t)
	cluster := server.Cluster()
	look := func() int64 {
		requests := cluster.Requests()
		view := kube.Watch(cluster, kube.Selection{Resource: configMaps, Namespace: "apps"}, nameOnly)
		defer view.Close()
		if err := view.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		return cluster.Requests() - requests
	}
	for _, c := range []struct {
		reason string
		after  time.Duration
		asked  int64
	}{
		{"the first", 0, 1},
		{"one that comes soon", 119 * time.Second, 0},
		{"for which the time begins anew", 119 * time.Second, 0},
		{"one that comes too late", 2 * time.Minute, 1},
	} {
		clock.Step(c.after)
		if asked := look(); asked != c.asked {
			t.Errorf("%s: it took %d requests, want %d", c.reason, asked, c.asked)
		}
	}
}

func TestWhatAClusterServesIsAskedEveryTenMinutes(t *testing.T) {
	clock, server := clocked(t)
	cluster := server.Cluster()
	for _, c := range []struct {
		reason string
		after  time.Duration
		asks   bool
	}{
		{"nothing is known", 0, true},
		{"it is known", 10*time.Minute - 1, false},
		{"it may be another version by now", 1, true},
	} {
		clock.Step(c.after)
		requests := cluster.Requests()
		if _, err := cluster.Capabilities(t.Context()); err != nil {
			t.Fatal(err)
		}
		if asked := cluster.Requests() > requests; asked != c.asks {
			t.Errorf("%s: it has asked: %v", c.reason, asked)
		}
	}
}
