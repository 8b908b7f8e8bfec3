package drivers_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// scale does what an autoscaler does, and waits until the controller has done all that it does about it. So many pods may be
// above the replicas.
func (s *stage) scale(replicas, surge int) {
	s.Helper()
	deployment := s.deployment("", replicas)
	edit := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
	if _, err := s.c.Patch(s.ctx, deployment.GroupVersionKind(), s.namespace, deployment.GetName(), types.MergePatchType, edit); err != nil {
		s.Fatal(err)
	}
	pods := func() int {
		n := 0
		for _, there := range s.snapshot().Tags() {
			n += there
		}
		return n
	}
	s.until("there are as many pods as the autoscaler wants", func() bool { return pods() >= replicas && pods() <= replicas+surge })
	s.calm()
}

// made is how many pods there ever were with a tag.
func (s *stage) made(tag string) int {
	total := 0
	for _, n := range s.recorder.Events().Made(tag) {
		total += n
	}
	return total
}

// TestAutoscalerInMidBatch shrinks and grows a Deployment twice while half of it may be new and none of the new pods gets
// ready: what a smaller Deployment may have is less than what its controller was told before.
func TestAutoscalerInMidBatch(t *testing.T) {
	t.Parallel()
	const bad = "2-never-ready"
	half := pipelines.Percent(50)
	start := func(t *testing.T, replicas int) (*stage, workload.Driver, workload.Spec, workload.State) {
		s := newStage(t)
		from, to := s.strategic("1", replicas, rolling(0, "100%")), s.strategic(bad, replicas, rolling(0, "100%"))
		s.running(from, replicas)
		d, spec := driverOf(t, to), s.spec(from, to)
		return s, d, spec, must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
	}
	// scales checks what becomes of a Deployment as it is scaled. Its controller scales old and new pods alike and rounds;
	// that share is not ours, but nothing may go beyond both it and the batch.
	scales := func(t *testing.T, s *stage, was int, sizes ...int) {
		t.Helper()
		for _, replicas := range sizes {
			before, made := s.snapshot().Tags()[bad], s.made(bad)
			s.scale(replicas, 0)
			share := (2*before*replicas + was) / (2 * was)
			if moved, allowed := s.snapshot().Tags()[bad], half.Of(replicas); moved > max(allowed, share) {
				t.Errorf("from %d to %d replicas: %d pods are new, the batch allows %d, their share is %d; %d were made since", was, replicas, moved, allowed, share, s.made(bad)-made)
			}
			was = replicas
		}
	}
	watch := func(t *testing.T, s *stage, d workload.Driver, spec workload.Spec, state workload.State, most int, test func(exceeded func() bool)) {
		t.Helper()
		ctx, cancel := context.WithCancel(s.ctx)
		ended := make(chan error, 1)
		var exceeded atomic.Bool
		go func() {
			_, err := d.Advance(ctx, s.c, spec, state, batch(1, half, pipelines.Count(most)), func(_ context.Context, w rule.Workload, _ rule.Batch) error {
				exceeded.Store(slices.ContainsFunc(w.Waiting, func(reason string) bool { return strings.HasPrefix(reason, "BatchExceeded") }))
				return nil
			})
			ended <- err
		}()
		s.until("the first pods are new", func() bool { return s.snapshot().Tags()[bad] == most })
		test(exceeded.Load)
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Advance ended with %v, want that it waits for ever", err)
		}
	}
	t.Run("watched", func(t *testing.T) {
		s, d, spec, state := start(t, nodes)
		watch(t, s, d, spec, state, 3, func(exceeded func() bool) {
			scales(t, s, nodes, 4, 12)
			scales(t, s, 12, 3) // 6 of 12 are a share of 1.5, which the controller rounds up; the batch allows 1
			made := s.made(bad)
			s.until("the batch is said to be exceeded", exceeded)
			scales(t, s, 3, 2)
			if now := s.made(bad); now != made {
				t.Errorf("%d pods were made new though the batch is exceeded", now-made)
			}
			scales(t, s, 2, 10)
		})
	})
	t.Run("nobody watches", func(t *testing.T) {
		s, d, spec, state := start(t, nodes)
		if _, err := d.Advance(s.ctx, s.c, spec, state, batch(1, half, pipelines.Count(4)), whenUpdated(4)); !errors.Is(err, errEnough) {
			t.Fatal(err)
		}
		scales(t, s, nodes, 5, 10, 4, 10)
	})
	t.Run("no percentage says it", func(t *testing.T) {
		const many = 120 // of which 5 are more than 4% and less than 5%
		s, d, spec, state := start(t, many)
		watch(t, s, d, spec, state, 5, func(func() bool) {
			s.until("the Deployment rests", func() bool {
				paused, _, _ := unstructured.NestedBool(s.live(spec.Target).Object, "spec", "paused")
				return paused
			})
		})
		scales(t, s, many, 40, 6) // nobody watches any more
	})
}

// TestAutoscalerWhileAllGoesWell has an autoscaler shrink and grow a Deployment at every step of a batch. A surge step that is
// open then rounds up: one new pod more than the batch allows may come of it, and none beyond the owner's surge.
func TestAutoscalerWhileAllGoesWell(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		strategy    map[string]any
		surge, over int
	}{
		"no surge": {rolling(0, "50%"), 0, 0},
		"surge":    {rolling("25%", 0), 3, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			from, to := s.strategic("1", nodes, c.strategy), s.strategic("2", nodes, c.strategy)
			s.running(from, nodes)
			d, spec := driverOf(t, to), s.spec(from, to)
			state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
			sizes, now := []int{4, 10, 5, 12}, nodes
			half := pipelines.Percent(50)
			facts := must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(1, half, pipelines.Count(1)), func(_ context.Context, w rule.Workload, b rule.Batch) error {
				if len(sizes) > 0 && w.Updated > 0 && w.Updated < b.Target {
					now = sizes[0]
					s.scale(now, c.surge)
					seen := s.snapshot()
					if n := seen.Tags()["2"]; n > half.Of(sizes[0])+c.over {
						t.Errorf("of %d replicas %d are new", sizes[0], n)
					}
					if n := seen.Ready(); n < sizes[0] && c.surge > 0 {
						t.Errorf("of %d replicas %d are ready", sizes[0], n)
					}
					sizes = sizes[1:]
				}
				return nil
			}))
			n := facts.Workload.Updated
			if allowed := int64(half.Of(now)); facts.Workload.Desired != int64(now) || n < allowed || n > allowed+int64(c.over) || facts.Workload.UpdatedAvailable != n || len(sizes) > 2 {
				t.Errorf("facts are %+v, want %d of %d pods new; sizes left: %v", facts.Workload, allowed, now, sizes)
			}
			s.quiet("2", int(n))
			must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(2, pipelines.Percent(100), pipelines.Count(3)), nil))
			must[workload.State](s)(d.Finish(s.ctx, s.c, spec, state, false))
			s.arrivedAt("2", now, now)
		})
	}
}
