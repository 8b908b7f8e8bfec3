package kube_test

import (
	"testing"
	"time"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
)

func TestFailureMode_R36_Lease(t *testing.T) {
	ctx, c := cluster(t)
	spec := kube.LeaseSpec{Component: "agent", Installation: "east", Run: "run-1", Digest: "d1", Fence: 7}
	before, err := kube.AcquireLease(ctx, c, spec)
	if err != nil || before != (kube.Lease{}) {
		t.Fatalf("the first lease: %+v, %v", before, err)
	}
	requests := c.Requests()
	if before, err = kube.AcquireLease(ctx, c, spec); err != nil || before.Fence != 7 || before.State != kube.LeaseHeld {
		t.Errorf("the same run again: %+v, %v", before, err)
	}
	if took := c.Requests() - requests; took != 0 {
		t.Errorf("taking what was just taken took %d requests, want none", took)
	}
	_, other := cluster(t)
	if before, err = kube.AcquireLease(ctx, other, spec); err != nil || before.Fence != 7 || before.State != kube.LeaseHeld {
		t.Errorf("the same run in another process: %+v, %v", before, err)
	}

	west := spec
	west.Installation, west.Fence = "west", 99
	_, err = kube.AcquireLease(ctx, c, west)
	code(t, err, fault.Conflict, "east", "west", "run-1", "since 20")
	for reason, change := range map[string]func(*kube.LeaseSpec){
		"a lower fence":                 func(s *kube.LeaseSpec) { s.Run, s.Fence = "run-0", 6 },
		"the same fence by another run": func(s *kube.LeaseSpec) { s.Run = "run-2" },
		"this run with a lower fence":   func(s *kube.LeaseSpec) { s.Fence = 3 },
	} {
		t.Run(reason, func(t *testing.T) {
			s := spec
			change(&s)
			_, err := kube.AcquireLease(ctx, c, s)
			code(t, err, fault.Conflict, "restored from a backup")
		})
	}

	for reason, change := range map[string]func(*kube.LeaseSpec){
		"another installation": func(s *kube.LeaseSpec) { s.Installation = "west" },
		"another run":          func(s *kube.LeaseSpec) { s.Run = "run-0" },
		"another fence":        func(s *kube.LeaseSpec) { s.Fence = 6 },
	} {
		t.Run("not released by "+reason, func(t *testing.T) {
			s := spec
			change(&s)
			code(t, kube.ReleaseLease(ctx, c, s, "d0"), fault.Conflict, "installation east holds it with fence 7 for run run-1")
			if now, err := kube.ReadLease(ctx, other, "agent"); err != nil || now.State != kube.LeaseHeld {
				t.Errorf("the lease is %+v, %v", now, err)
			}
		})
	}
	// The last of these has read it; the release goes by that.
	requests = c.Requests()
	if err := kube.ReleaseLease(ctx, c, spec, "d1"); err != nil {
		t.Fatal(err)
	}
	if took := c.Requests() - requests; took != 1 {
		t.Errorf("the release took %d requests, want 1", took)
	}
	if err := kube.ReleaseLease(ctx, c, spec, "d1"); err != nil {
		t.Errorf("the release again: %v", err)
	}
	_, err = kube.AcquireLease(ctx, c, west)
	code(t, err, fault.Conflict, "east")

	next := kube.LeaseSpec{Component: "agent", Installation: "east", Run: "run-2", Digest: "d2", Fence: 8}
	before, err = kube.AcquireLease(ctx, c, next)
	if err != nil || before.State != kube.LeaseFree || before.Digest != "d1" || before.Run != "run-1" {
		t.Errorf("the next run: %+v, %v", before, err)
	}
	code(t, kube.ReleaseLease(ctx, c, spec, "d1"), fault.Conflict, "run-2", "fence 8")
	_, again := cluster(t)
	if err := kube.ReleaseLease(ctx, again, next, "d1"); err != nil {
		t.Errorf("the release by another process: %v", err)
	}
	now, err := kube.ReadLease(ctx, c, "agent")
	if err != nil || now.State != kube.LeaseFree || now.Digest != "d1" || now.Fence != 8 || now.Installation != "east" {
		t.Errorf("the lease at the end: %+v, %v", now, err)
	}
	if none, err := kube.ReadLease(ctx, c, "absent"); err != nil || none != (kube.Lease{}) {
		t.Errorf("a lease that is not there: %+v, %v", none, err)
	}
}

func TestAGuardKnowsWhoseTheLeaseIs(t *testing.T) {
	ctx, c := cluster(t)
	ours := kube.LeaseSpec{Component: "guarded", Installation: "east", Run: "run-1", Digest: "d1", Fence: 1}
	if _, err := kube.AcquireLease(ctx, c, ours); err != nil {
		t.Fatal(err)
	}
	requests := c.Requests()
	guard := kube.GuardLease(c, ours)
	defer guard.Close()
	for i, want := range []uint64{0, 1} {
		for range 10 {
			if err := guard.Check(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if took := uint64(c.Requests() - requests); took != want {
			t.Errorf("round %d: ten checks took %d requests, want %d", i, took, want)
		}
		time.Sleep(6 * time.Second) // the Lease was not read just now any more
	}

	next := ours
	next.Run, next.Fence = "run-2", 2
	if _, err := kube.AcquireLease(ctx, c, next); err != nil {
		t.Fatal(err)
	}
	newer := kube.GuardLease(c, next) // it shares the watch, which may not know yet
	defer newer.Close()
	if err := newer.Check(ctx); err != nil {
		t.Errorf("the run that has just taken the lease: %v", err)
	}
	lost := func(spec kube.LeaseSpec, parts ...string) {
		t.Helper()
		guard := kube.GuardLease(c, spec)
		defer guard.Close()
		var err error
		for end := time.Now().Add(5 * time.Second); err == nil && time.Now().Before(end); {
			err = guard.Check(ctx)
		}
		code(t, err, fault.Conflict, parts...)
	}
	lost(ours, "run-2", "fence 2", "ours is 1")
	elsewhere := next
	elsewhere.Installation = "west"
	lost(elsewhere, "installation east has it")
	absent := next
	absent.Component = "absent"
	lost(absent, "nobody holds it")
}
