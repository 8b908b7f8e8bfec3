package drivers_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/witness"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/drivers"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// strategic is a Deployment with a strategy; nil is what the API server makes of none.
func (s *stage) strategic(tag string, replicas int, strategy map[string]any) *unstructured.Unstructured {
	object := s.deployment(tag, replicas)
	if strategy != nil {
		object.Object["spec"].(map[string]any)["strategy"] = strategy
	}
	return object
}

// promised checks what was recorded so far against what the owner's strategy and the budget promise.
func (s *stage) promised(tag string, replicas, surge, down, mostNew int) {
	s.Helper()
	s.calm()
	seen := s.recorder.Events()
	if n := seen.MostUnavailable(replicas); n > down {
		s.Errorf("%d pods were unavailable at once, at most %d may be", n, down)
	}
	// A Deployment's controller counts what its ReplicaSets are told to have. The one that takes pods away may be behind the one
	// that makes them, by as many as go in one step.
	going := max(surge, down)
	if n := seen.Most(func(witness.Pod) bool { return true }); n > replicas+surge+going {
		s.Errorf("there were %d pods at once, at most %d+%d may be, and %d more that are about to go", n, replicas, surge, going)
	}
	if n := seen.MostWithTag(tag); n > mostNew {
		s.Errorf("there were %d pods with %s at once, at most %d may be", n, tag, mostNew)
	}
}

// arrivedAt checks that a batch has ended with so many new pods, and none beyond the replicas.
func (s *stage) arrivedAt(tag string, replicas, want int) {
	s.Helper()
	s.quiet(tag, want)
	pods := 0
	for _, n := range s.snapshot().Tags() {
		pods += n
	}
	if pods != replicas {
		s.Errorf("the batch ended with %d pods, want %d", pods, replicas)
	}
}

// TestMakeBeforeBreakForReal moves Deployments of different strategies forward, through a kill and a disarm in the middle of
// a step, and back.
func TestMakeBeforeBreakForReal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		replicas    int
		strategy    map[string]any
		budget      int
		surge, down int // what has to hold
	}{
		"one replica":               {1, nil, 1, 1, 0},
		"a quarter above and below": {10, rolling("25%", "25%"), 2, 3, 0},
		"none may be missing":       {4, rolling(1, 0), 2, 1, 0},
		"no surge":                  {6, rolling(0, "50%"), 2, 0, 2},
		"no surge but one":          {6, rolling(0, 1), 4, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			shape := func(tag string) *unstructured.Unstructured { return s.strategic(tag, c.replicas, c.strategy) }
			from, to := shape("1"), shape("2")
			s.running(from, c.replicas)
			before := s.live(from)
			d, spec := driverOf(t, to), s.spec(from, to)
			if err := d.Check(s.ctx, s.c, spec, before); err != nil {
				t.Fatal(err)
			}
			state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
			most := pipelines.Count(c.budget)
			goals := []workload.Goal{batch(1, pipelines.Count(1), most), batch(2, pipelines.Percent(50), most), batch(3, pipelines.Percent(100), most)}
			for _, goal := range goals {
				n := goal.Amount.Of(c.replicas)
				if _, err := d.Advance(s.ctx, s.c, spec, state, goal, whenUpdated(int64(n))); err != nil && !errors.Is(err, errEnough) {
					t.Fatal(err)
				}
				// Killed as soon as all pods of the batch are made; a person pauses, and goes on.
				disarmed := must[workload.State](s)(d.Disarm(s.ctx, s.c, spec, workload.State{}))
				s.calm()
				s.promised("2", c.replicas, c.surge, c.down, n)
				state = must[workload.State](s)(d.Arm(s.ctx, s.c, spec, disarmed))
				must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, goal, nil))
				s.arrivedAt("2", c.replicas, n)
				s.promised("2", c.replicas, c.surge, c.down, n)
			}
			state = must[workload.State](s)(d.Finish(s.ctx, s.c, spec, state, false))
			s.finished(before, to)
			must[rule.Facts](s)(d.Revert(s.ctx, s.c, spec, state, most, nil))
			s.promised("1", c.replicas, c.surge, c.down, c.replicas)
			must[workload.State](s)(d.Finish(s.ctx, s.c, spec, state, true))
			s.arrivedAt("1", c.replicas, c.replicas)
			s.wentBack(before)
		})
	}
}

// TestAnotherRunTakesOverInMidStep begins a third version in the middle of a step to a second one whose pods never get
// ready: these go first, and no good one with them.
func TestAnotherRunTakesOverInMidStep(t *testing.T) {
	t.Parallel()
	for name, strategy := range map[string]map[string]any{"surge": rolling(2, 0), "no surge": rolling(0, 2)} {
		t.Run(name, func(t *testing.T) {
			const replicas = 6
			s := newStage(t)
			from, bad, to := s.strategic("1", replicas, strategy), s.strategic("2-never-ready", replicas, strategy), s.strategic("3", replicas, strategy)
			s.running(from, replicas)
			before := s.live(from)
			d, spec := driverOf(t, to), s.spec(from, bad)
			state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
			if _, err := d.Advance(s.ctx, s.c, spec, state, batch(1, pipelines.Percent(50), pipelines.Count(2)), whenUpdated(2)); !errors.Is(err, errEnough) {
				t.Fatal(err)
			}
			next := s.spec(from, to)
			next.Run, next.Fence = "run-2", 2
			state = must[workload.State](s)(d.Prepare(s.ctx, s.c, next))
			must[rule.Facts](s)(d.Advance(s.ctx, s.c, next, state, batch(1, pipelines.Count(2), pipelines.Count(1)), nil))
			s.quiet("3", 2)
			if n := s.snapshot().Tags()["2-never-ready"]; n > 0 {
				t.Errorf("%d pods that never get ready are left, while good ones went", n)
			}
			must[rule.Facts](s)(d.Advance(s.ctx, s.c, next, state, batch(2, pipelines.Percent(100), pipelines.Count(1)), nil))
			must[workload.State](s)(d.Finish(s.ctx, s.c, next, state, false))
			s.promised("3", replicas, 2, map[string]int{"surge": 0, "no surge": 2}[name], replicas)
			s.arrivedAt("3", replicas, replicas)
			s.finished(before, to)
		})
	}
}

// TestHoldOfTheReleaseBefore goes on with a Deployment that an earlier release left in the middle of a batch: it knew no
// surge, and did not note what it had told the controller.
func TestHoldOfTheReleaseBefore(t *testing.T) {
	const replicas = 6
	s := newStage(t)
	from, to := s.strategic("1", replicas, rolling(1, 1)), s.strategic("2", replicas, rolling(1, 1))
	s.running(from, replicas)
	before := s.live(from)
	d, spec := driverOf(t, to), s.spec(from, to)
	owner, err := json.Marshal(map[string]any{
		"run": "run-1", "fence": 1, "armed": true,
		"owner": map[string]any{"strategy": rolling(1, 1), "progressDeadlineSeconds": 600},
	})
	if err != nil {
		t.Fatal(err)
	}
	left, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{workload.HeldAnnotation: string(owner)}},
		"spec": map[string]any{
			"minReadySeconds": 2147483646, "progressDeadlineSeconds": 2147483647, "strategy": rolling(0, "34%"),
			"template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"name": "agent", "image": "registry.local/agent:2"}}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.c.Patch(s.ctx, to.GroupVersionKind(), s.namespace, "agent", types.StrategicMergePatchType, left); err != nil {
		t.Fatal(err)
	}
	s.until("two pods are new, and two old ones gone", func() bool { tags := s.snapshot().Tags(); return tags["1"] == 4 && tags["2"] == 2 })
	s.calm()
	s.recorder.Stop()
	s.record()
	state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
	must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(1, pipelines.Percent(50), pipelines.Count(1)), nil))
	s.arrivedAt("2", replicas, 3)
	must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(2, pipelines.Percent(100), pipelines.Count(1)), nil))
	must[workload.State](s)(d.Finish(s.ctx, s.c, spec, state, false))
	s.promised("2", replicas, 1, 0, replicas)
	s.arrivedAt("2", replicas, replicas)
	s.finished(before, to)
}

// TestRecreateIsOneBatch takes all pods down before the first new one is there, since its owner allows no two versions at once.
func TestRecreateIsOneBatch(t *testing.T) {
	const replicas = 3
	s := newStage(t)
	recreate := map[string]any{"type": "Recreate"}
	from, to := s.strategic("1", replicas, recreate), s.strategic("2", replicas, recreate)
	s.running(from, replicas)
	before := s.live(from)
	d, spec := driverOf(t, to), s.spec(from, to)
	costs, err := drivers.Costs(spec, before)
	if err != nil || len(costs) != 1 || costs[0].Rule != api.RuleTakesAllDown {
		t.Fatalf("it costs %+v, %v", costs, err)
	}
	state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
	_, err = d.Advance(s.ctx, s.c, spec, state, batch(1, pipelines.Count(1), pipelines.Count(1)), nil)
	code(t, err, fault.Refused, "no two versions")
	s.quiet("2", 0)
	whole := batch(1, pipelines.Percent(100), pipelines.Count(1))
	ctx, cancel := context.WithCancel(s.ctx)
	_, err = d.Advance(ctx, s.c, spec, state, whole, func(_ context.Context, w rule.Workload, _ rule.Batch) error {
		if w.Updated > 0 {
			cancel()
		}
		return nil
	})
	cancel()
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	must[workload.State](s)(d.Disarm(s.ctx, s.c, spec, state))
	state = must[workload.State](s)(d.Arm(s.ctx, s.c, spec, state))
	must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, whole, nil))
	state = must[workload.State](s)(d.Disarm(s.ctx, s.c, spec, state))
	must[rule.Facts](s)(d.Retreat(s.ctx, s.c, spec, state, batch(1, pipelines.Count(0), pipelines.Count(1)), nil))
	s.quiet("1", replicas)
	state = must[workload.State](s)(d.Arm(s.ctx, s.c, spec, state))
	s.quiet("1", replicas)
	must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, whole, nil))
	state = must[workload.State](s)(d.Finish(s.ctx, s.c, spec, state, false))
	s.arrivedAt("2", replicas, replicas)
	s.finished(before, to)
	must[rule.Facts](s)(d.Revert(s.ctx, s.c, spec, state, pipelines.Count(1), nil))
	must[workload.State](s)(d.Finish(s.ctx, s.c, spec, state, true))
	s.arrivedAt("1", replicas, replicas)
	s.wentBack(before)
	if n := s.recorder.Events().Most(func(witness.Pod) bool { return true }); n > replicas {
		t.Errorf("there were %d pods of two versions at once", n)
	}
}

// TestALaterRunFindsWhatWasOnlyPrepared goes to the version that all pods have, over what a run left that had moved none.
func TestALaterRunFindsWhatWasOnlyPrepared(t *testing.T) {
	const replicas = 3
	s := newStage(t)
	shape := func(tag string) *unstructured.Unstructured {
		object := s.strategic(tag, replicas, rolling(1, 0))
		object.Object["spec"].(map[string]any)["minReadySeconds"] = int64(3)
		return object
	}
	from, to := shape("1"), shape("2")
	s.running(from, replicas)
	before := s.live(from)
	d, spec := driverOf(t, to), s.spec(from, to)
	must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
	must[workload.State](s)(d.Disarm(s.ctx, s.c, spec, workload.State{}))
	next := s.spec(to, from)
	next.Run, next.Fence = "run-2", 2
	state := must[workload.State](s)(d.Prepare(s.ctx, s.c, next))
	// For three seconds none of the pods is known to be available.
	must[rule.Facts](s)(d.Advance(s.ctx, s.c, next, state, batch(1, pipelines.Percent(100), pipelines.Count(1)), nil))
	must[workload.State](s)(d.Finish(s.ctx, s.c, next, state, false))
	s.quiet("1", replicas)
	s.promised("1", replicas, 0, 0, replicas)
	s.finished(before, from)
}
