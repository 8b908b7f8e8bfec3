package cluster

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines"
)

// writing is an activity that writes under the Lease: what comes before it, and then the activity itself.
type writing struct {
	name   string
	reason string
	least  int // writes of it, so that there is something between them
	ready  func(w *world, d step.DiffResult, object string) func(kube.Try) error
}

// attempts is an activity with its request, to be attempted.
func attempts[In, Out any](w *world, f func(context.Context, In) (Out, error), in In) func(kube.Try) error {
	return func(try kube.Try) error {
		_, err := attempt(w, try, f, in)
		return err
	}
}

func writings() []writing {
	all, half := pipelines.Percent(100), pipelines.Count(2)
	return []writing{
		{"Apply", "objects one after the other", 3, func(w *world, d step.DiffResult, _ string) func(kube.Try) error {
			return attempts(w, w.acts.Apply, step.ApplyRequest{Ref: w.ref, Changes: d.Changes})
		}},
		{"Unapply", "what was written is given back", 3, func(w *world, d step.DiffResult, _ string) func(kube.Try) error {
			must(w, w.acts.Apply, step.ApplyRequest{Ref: w.ref, Changes: d.Changes})
			return attempts(w, w.acts.Unapply, step.ApplyRequest{Ref: w.ref, Changes: d.Changes})
		}},
		{"Prepare", "the hold and the template", 1, func(w *world, d step.DiffResult, object string) func(kube.Try) error {
			return attempts(w, w.acts.Prepare, w.about(d, object, goal.State{}))
		}},
		{"Advance", "every eviction, every step of a strategy", 3, func(w *world, d step.DiffResult, object string) func(kube.Try) error {
			state := must(w, w.acts.Prepare, w.about(d, object, goal.State{}))
			return attempts(w, w.acts.Advance, w.batch(d, object, state, 1, all))
		}},
		{"Disarm", "the template of before", 1, func(w *world, d step.DiffResult, object string) func(kube.Try) error {
			state := must(w, w.acts.Prepare, w.about(d, object, goal.State{}))
			must(w, w.acts.Advance, w.batch(d, object, state, 1, half))
			return attempts(w, w.acts.Disarm, w.about(d, object, state))
		}},
		{"Arm", "the template of the target", 1, func(w *world, d step.DiffResult, object string) func(kube.Try) error {
			state := must(w, w.acts.Prepare, w.about(d, object, goal.State{}))
			must(w, w.acts.Advance, w.batch(d, object, state, 1, half))
			state = must(w, w.acts.Disarm, w.about(d, object, state))
			return attempts(w, w.acts.Arm, w.about(d, object, state))
		}},
		{"Retreat", "pods, between two templates where the controller takes them", 1, func(w *world, d step.DiffResult, object string) func(kube.Try) error {
			state := must(w, w.acts.Prepare, w.about(d, object, goal.State{}))
			must(w, w.acts.Advance, w.batch(d, object, state, 1, half))
			state = must(w, w.acts.Disarm, w.about(d, object, state))
			return attempts(w, w.acts.Retreat, w.batch(d, object, state, 1, pipelines.Count(0)))
		}},
		{"Revert", "the way back's template, and pods", 2, func(w *world, d step.DiffResult, object string) func(kube.Try) error {
			state := must(w, w.acts.Prepare, w.about(d, object, goal.State{}))
			must(w, w.acts.Advance, w.batch(d, object, state, 1, half))
			return attempts(w, w.acts.Revert, w.batch(d, object, state, 1, all))
		}},
		{"Finish", "the owner's strategy", 1, func(w *world, d step.DiffResult, object string) func(kube.Try) error {
			state := must(w, w.acts.Prepare, w.about(d, object, goal.State{}))
			must(w, w.acts.Advance, w.batch(d, object, state, 1, all))
			return attempts(w, w.acts.Finish, w.about(d, object, state))
		}},
		{"Finish of a revert", "the owner's strategy", 1, func(w *world, d step.DiffResult, object string) func(kube.Try) error {
			state := must(w, w.acts.Prepare, w.about(d, object, goal.State{}))
			must(w, w.acts.Advance, w.batch(d, object, state, 1, half))
			must(w, w.acts.Revert, w.batch(d, object, state, 1, all))
			req := w.about(d, object, state)
			req.Revert = true
			return attempts(w, w.acts.Finish, req)
		}},
	}
}

// underWay is a world in which version 1.0.0 runs and 2.0.0 is about to be brought, under the Lease.
func underWay(t *testing.T, kind string) (*world, step.DiffResult, string) {
	t.Helper()
	w := newWorld(t)
	objects := func(version string) []string {
		return []string{configMap("a", version), configMap("b", version), configMap("c", version), load(kind, "agent", version)}
	}
	w.planned("1.0.0", objects("1.0.0"))
	w.rollout()
	w.planned("2.0.0", objects("2.0.0"))
	w.lock()
	return w, w.diff(), kind + "/" + namespace + "/agent"
}

// thief takes the Lease away from what is under way, in another process, and waits until the guard of the first can know.
type thief struct {
	reason string
	always bool // between any two writes; else at one place, since the same guard is asked
	says   string
	take   func(t *testing.T, w *world, try kube.Try)
}

func thieves() []thief {
	elsewhere := func(t *testing.T, w *world, f func(context.Context, *kube.Cluster, kube.LeaseSpec) error, try kube.Try) {
		spec := w.acts.lease(w.ref, "digest")
		spec.Try = try
		if err := f(t.Context(), w.server.Cluster(), spec); err != nil {
			t.Error(err)
		}
	}
	return []thief{
		{"another run", true, "for run agent-99", func(t *testing.T, w *world, try kube.Try) {
			elsewhere(t, w, func(ctx context.Context, c *kube.Cluster, spec kube.LeaseSpec) error {
				spec.Run, spec.Fence = "agent-99", spec.Fence+1
				_, err := kube.AcquireLease(ctx, c, spec)
				return err
			}, try)
		}},
		{"a later attempt", false, "attempt 2 of step 7 has begun since", func(t *testing.T, w *world, try kube.Try) {
			try.Attempt++
			elsewhere(t, w, kube.BeginTry, try)
		}},
	}
}

// rob lets a thief take the Lease, and waits until a guard in the robbed process knows.
func (w *world) rob(by thief, try kube.Try) {
	by.take(w.T, w, try)
	c, err := w.pool.Cluster(w.Context(), "a")
	if err != nil {
		w.Error(err)
		return
	}
	spec := w.acts.lease(w.ref, "")
	spec.Try = try
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		_, guard := kube.GuardLease(w.Context(), c, spec)
		lost := guard.Check(w.Context())
		guard.Close()
		if lost != nil {
			return
		}
	}
	w.Error("the guard never knew")
}

func TestNothingIsWrittenOnceTheLeaseIsLost(t *testing.T) {
	try := kube.Try{Step: 7, Attempt: 1}
	for _, kind := range []string{"DaemonSet", "Deployment"} {
		for _, what := range writings() {
			t.Run(kind+"/"+what.name, func(t *testing.T) {
				working.Take(t)
				w, d, object := underWay(t, kind)
				act := what.ready(w, d, object)
				w.server.Writes()
				if err := act(try); err != nil {
					t.Fatal(err)
				}
				whole := w.server.Writes()
				if len(whole) < what.least {
					t.Fatalf("%s: it wrote %v, and has to write %d times", what.reason, whole, what.least)
				}
				for _, by := range thieves() {
					for k := range whole {
						if by.always || k == len(whole)/2 {
							robbed(t, kind, what, by, try, k, whole)
						}
					}
				}
			})
		}
	}
}

// robbed takes the Lease after the first k writes of an activity that would write whole. How many steps a driver takes depends on
// what it sees between them: an activity that came to its end with fewer is begun anew.
func robbed(t *testing.T, kind string, what writing, by thief, try kube.Try, k int, whole []kubetest.Write) {
	t.Helper()
	for range 5 {
		wrote, reached, err := robbedOnce(t, kind, what, by, try, k)
		if !reached {
			continue
		}
		if len(wrote) != k {
			t.Errorf("%s took the Lease after %d of %v; then it wrote %v", by.reason, k, whole, wrote)
		}
		if fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), by.says) {
			t.Errorf("%s took the Lease after %d of %v; it says %v", by.reason, k, whole, err)
		}
		return
	}
	t.Errorf("it never wrote %d times again, as in %v", k, whole)
}

func robbedOnce(t *testing.T, kind string, what writing, by thief, try kube.Try, k int) (wrote []kubetest.Write, reached bool, err error) {
	t.Helper()
	w, d, object := underWay(t, kind)
	act := what.ready(w, d, object)
	if k == 0 {
		w.rob(by, try)
	}
	w.server.Writes()
	done := 0
	w.server.Before = func(asked kubetest.Write) int {
		if strings.HasPrefix(asked.Object, "Lease/") {
			return 0
		}
		if done++; done == k {
			w.rob(by, try)
		}
		return 0
	}
	err = act(try)
	wrote = slices.DeleteFunc(w.server.Writes(), func(asked kubetest.Write) bool { return strings.HasPrefix(asked.Object, "Lease/") })
	return wrote, done >= k, err
}

func TestASecondAttemptSaysThatItHasBegun(t *testing.T) {
	w, d, object := underWay(t, "DaemonSet")
	prepare := attempts(w, w.acts.Prepare, w.about(d, object, goal.State{}))
	if err := prepare(kube.Try{Step: 7, Attempt: 1}); err != nil {
		t.Fatal(err)
	}
	lease := func() kube.Lease {
		now, err := kube.ReadLease(t.Context(), w.server.Cluster(), api.Component("agent"))
		if err != nil {
			t.Fatal(err)
		}
		return now
	}
	if now := lease(); now.Try != (kube.Try{}) {
		t.Errorf("a first attempt is in the Lease: %+v", now)
	}
	if err := prepare(kube.Try{Step: 7, Attempt: 2}); err != nil {
		t.Fatal(err)
	}
	if now := lease(); now.Try != (kube.Try{Step: 7, Attempt: 2}) || now.Run != w.ref.Run || now.State != kube.LeaseHeld {
		t.Errorf("the Lease does not know the second attempt: %+v", now)
	}
	if err := attempts(w, w.acts.Prepare, w.about(d, object, goal.State{}))(kube.Try{Step: 8, Attempt: 1}); err != nil {
		t.Errorf("the next step: %v", err)
	}
}
