package kube_test

import (
	"context"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
)

func TestFailureMode_R36_Lease(t *testing.T) {
	ctx, c := cluster(t)
	spec := kube.LeaseSpec{Subject: api.Component("agent"), Installation: "east", Run: "run-1", Digest: "d1", Fence: 7}
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
			if now, err := kube.ReadLease(ctx, other, api.Component("agent")); err != nil || now.State != kube.LeaseHeld {
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

	next := kube.LeaseSpec{Subject: api.Component("agent"), Installation: "east", Run: "run-2", Digest: "d2", Fence: 8}
	before, err = kube.AcquireLease(ctx, c, next)
	if err != nil || before.State != kube.LeaseFree || before.Digest != "d1" || before.Run != "run-1" {
		t.Errorf("the next run: %+v, %v", before, err)
	}
	code(t, kube.ReleaseLease(ctx, c, spec, "d1"), fault.Conflict, "run-2", "fence 8")
	_, again := cluster(t)
	if err := kube.ReleaseLease(ctx, again, next, "d1"); err != nil {
		t.Errorf("the release by another process: %v", err)
	}
	now, err := kube.ReadLease(ctx, c, api.Component("agent"))
	if err != nil || now.State != kube.LeaseFree || now.Digest != "d1" || now.Fence != 8 || now.Installation != "east" {
		t.Errorf("the lease at the end: %+v, %v", now, err)
	}
	if none, err := kube.ReadLease(ctx, c, api.Component("absent")); err != nil || none != (kube.Lease{}) {
		t.Errorf("a lease that is not there: %+v, %v", none, err)
	}
}

func TestAGuardKnowsWhoseTheLeaseIs(t *testing.T) {
	ctx, c := cluster(t)
	ours := kube.LeaseSpec{Subject: api.Component("guarded"), Installation: "east", Run: "run-1", Digest: "d1", Fence: 1}
	if _, err := kube.AcquireLease(ctx, c, ours); err != nil {
		t.Fatal(err)
	}
	requests := c.Requests()
	_, guard := kube.GuardLease(ctx, c, ours)
	defer guard.Close()
	for range 10 {
		if err := guard.Check(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if took := c.Requests() - requests; took != 1 {
		t.Errorf("ten checks took %d requests, want a watch", took)
	}

	next := ours
	next.Run, next.Fence = "run-2", 2
	if _, err := kube.AcquireLease(ctx, c, next); err != nil {
		t.Fatal(err)
	}
	requests = c.Requests()
	_, newer := kube.GuardLease(ctx, c, next) // it shares the watch, which may not know yet
	defer newer.Close()
	if err := newer.Check(ctx); err != nil {
		t.Errorf("the run that has just taken the lease: %v", err)
	}
	if took := c.Requests() - requests; took != 0 {
		t.Errorf("that took %d requests, want none", took)
	}
	lost := func(spec kube.LeaseSpec, parts ...string) {
		t.Helper()
		under, guard := kube.GuardLease(ctx, c, spec)
		defer guard.Close()
		var err error
		for end := time.Now().Add(5 * time.Second); err == nil && time.Now().Before(end); {
			err = guard.Check(ctx)
		}
		code(t, err, fault.Conflict, parts...)
		if guard.Lost() != err || context.Cause(under) != err {
			t.Errorf("it was lost for %v, and the context ended for %v", guard.Lost(), context.Cause(under))
		}
	}
	lost(ours, "run-2", "fence 2", "ours is 1")
	elsewhere := next
	elsewhere.Installation = "west"
	lost(elsewhere, "installation east has it")
	absent := next
	absent.Subject = api.Component("absent")
	lost(absent, "nobody holds it")
}

func TestALaterAttemptIsHeardOfElsewhere(t *testing.T) {
	ctx, c := cluster(t)
	_, elsewhere := cluster(t)
	first := kube.LeaseSpec{Subject: api.Component("tried"), Installation: "east", Run: "run-1", Digest: "d1", Fence: 1, Try: kube.Try{Step: 12, Attempt: 1}}
	if _, err := kube.AcquireLease(ctx, c, first); err != nil {
		t.Fatal(err)
	}
	try := func(c *kube.Cluster, step, attempt int64) error {
		spec := first
		spec.Try = kube.Try{Step: step, Attempt: attempt}
		return kube.BeginTry(ctx, c, spec)
	}
	check := func(step, attempt int64) error {
		spec := first
		spec.Try = kube.Try{Step: step, Attempt: attempt}
		_, guard := kube.GuardLease(ctx, c, spec)
		defer guard.Close()
		return guard.Check(ctx)
	}
	requests := c.Requests()
	if err := try(c, 12, 1); err != nil || c.Requests() != requests {
		t.Errorf("a first attempt: %v, in %d requests", err, c.Requests()-requests)
	}
	if err := check(12, 1); err != nil {
		t.Errorf("the only attempt: %v", err)
	}
	if err := try(elsewhere, 12, 2); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); check(12, 1) == nil && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	code(t, check(12, 1), fault.Conflict, "attempt 2 of step 12 has begun since", "attempt 1 of step 12")
	for reason, err := range map[string]error{
		"the later attempt":           check(12, 2),
		"a step after it":             check(13, 1),
		"the later attempt once more": try(c, 12, 2),
		"another run's":               kube.BeginTry(ctx, c, kube.LeaseSpec{Subject: api.Component("tried"), Installation: "east", Run: "run-0", Fence: 0, Try: kube.Try{Step: 99, Attempt: 2}}),
		"where there is no lease":     kube.BeginTry(ctx, c, kube.LeaseSpec{Subject: api.Component("untried"), Try: kube.Try{Step: 99, Attempt: 2}}),
		"a later attempt still":       try(elsewhere, 14, 3),
		"after it":                    check(15, 1),
	} {
		if err != nil {
			t.Errorf("%s: %v", reason, err)
		}
	}
	code(t, try(elsewhere, 14, 2), fault.Conflict, "attempt 3 of step 14")
	now, err := kube.ReadLease(ctx, c, api.Component("tried"))
	if err != nil || now.Try != (kube.Try{Step: 14, Attempt: 3}) || now.State != kube.LeaseHeld || now.Fence != 1 {
		t.Errorf("the lease is %+v, %v", now, err)
	}

	// The steps of another unit are counted anew.
	next := first
	next.Fence, next.Try = 2, kube.Try{Step: 3, Attempt: 1}
	if _, err := kube.AcquireLease(ctx, elsewhere, next); err != nil {
		t.Fatal(err)
	}
	_, guard := kube.GuardLease(ctx, elsewhere, next)
	defer guard.Close()
	if err := guard.Check(ctx); err != nil {
		t.Errorf("the first step of the next unit: %v", err)
	}
}
