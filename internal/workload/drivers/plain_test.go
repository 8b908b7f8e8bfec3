package drivers_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// eachKind runs a test with a workload of every kind, of as many pods as there are nodes.
func eachKind(t *testing.T, test func(s *stage, d workload.Driver, shape func(tag string) *unstructured.Unstructured)) {
	t.Helper()
	t.Parallel()
	t.Run("DaemonSet", func(t *testing.T) {
		s := newStage(t)
		test(s, driverOf(t, s.daemonSet("1")), s.daemonSet)
	})
	t.Run("Deployment", func(t *testing.T) {
		s := newStage(t)
		test(s, driverOf(t, s.deployment("1", nodes)), func(tag string) *unstructured.Unstructured { return s.deployment(tag, nodes) })
	})
}

func code(t *testing.T, err error, want fault.Code, parts ...string) {
	t.Helper()
	if fault.CodeOf(err) != want {
		t.Fatalf("got error %v with code %q, want %q", err, fault.CodeOf(err), want)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not name %q", err, part)
		}
	}
}

func TestPlainRun(t *testing.T) {
	eachKind(t, func(s *stage, d workload.Driver, shape func(string) *unstructured.Unstructured) {
		from, to := shape("1"), shape("2")
		s.running(from, nodes)
		before := s.live(from)
		spec := s.spec(from, to)
		requests := s.c.Requests()
		if err := d.Check(s.ctx, s.c, spec, before); err != nil {
			s.Fatal(err)
		}
		state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
		s.quiet("2", 0)
		facts := must[rule.Facts](s)(d.Facts(s.ctx, s.c, spec, state, batch(1, pipelines.Count(1), pipelines.Count(2))))
		if w := facts.Workload; w.Updated != 0 || w.Revision != state.Revision || w.Revision != "" && w.Revision == state.Previous || w.Ready != nodes {
			s.Errorf("before anything has moved the facts are %+v", w)
		}
		sizes := s.sizes(d, spec, all())
		if len(sizes) != 1 || sizes[0] != nodes {
			s.Fatalf("sizes are %v, want [%d]", sizes, nodes)
		}
		for i, amount := range []pipelines.Amount{pipelines.Count(1), pipelines.Percent(50), pipelines.Percent(100)} {
			facts := must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(i+1, amount, pipelines.Count(2)), nil))
			want := amount.Of(nodes)
			if got := facts.Workload.UpdatedAvailable; got != int64(want) {
				s.Errorf("batch %d: %d pods are updated and available, want %d", i+1, got, want)
			}
			if facts.Workload.Revision == "" || facts.Batch.Target != int64(want) || facts.Workload.Desired != nodes {
				s.Errorf("batch %d: facts are %+v", i+1, facts)
			}
			s.quiet("2", want)
			s.limits("2", nodes, want, 2)
		}
		must[workload.State](s)(d.Finish(s.ctx, s.c, spec, state, false))
		took := s.c.Requests() - requests
		s.Logf("%d requests for 3 batches of %d pods", took, nodes)
		// A pod each, a few for each batch, and as many again on a machine where writes meet later ones; whoever polls asks for hundreds.
		if most := int64(2 * (15 + 3*3 + nodes)); took > most {
			s.Errorf("it took %d requests, want at most %d", took, most)
		}
		s.quiet("2", nodes)
		s.finished(before, to)
		made := s.recorder.Events().Made("2")
		total := 0
		for _, n := range made {
			total += n
		}
		if total != nodes {
			s.Errorf("%d pods were made at the new revision, want %d", total, nodes)
		}
		must[workload.State](s)(d.Finish(s.ctx, s.c, spec, state, false))
	})
}

// finished checks that nothing of the hold is left and the owner's strategy is as it was.
func (s *stage) finished(before, like *unstructured.Unstructured) {
	s.Helper()
	after := s.live(like)
	if _, held := after.GetAnnotations()[workload.HeldAnnotation]; held {
		s.Error("the hold is still there")
	}
	sameStrategy(s.T, before, after)
}

// wentBack checks that an object is what it was before the run.
func (s *stage) wentBack(before *unstructured.Unstructured) {
	s.Helper()
	after := s.live(before)
	for _, object := range []*unstructured.Unstructured{before, after} {
		annotations := object.GetAnnotations()
		delete(annotations, "deprecated.daemonset.template.generation") // counts every edit of a template
		delete(annotations, "deployment.kubernetes.io/revision")
		object.SetAnnotations(annotations)
	}
	for _, field := range []string{"spec"} {
		if diff := cmp.Diff(before.Object[field], after.Object[field]); diff != "" {
			s.Errorf("%s is not what it was (-before +after):\n%s", field, diff)
		}
	}
	if diff := cmp.Diff(before.GetAnnotations(), after.GetAnnotations()); diff != "" {
		s.Errorf("the annotations are not what they were (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(before.GetLabels(), after.GetLabels()); diff != "" {
		s.Errorf("the labels are not what they were (-before +after):\n%s", diff)
	}
}

func TestFailureMode_R27_CancelInMidBatch(t *testing.T) {
	eachKind(t, func(s *stage, d workload.Driver, shape func(string) *unstructured.Unstructured) {
		from, to := shape("1"), shape("2")
		s.running(from, nodes)
		spec := s.spec(from, to)
		state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
		goal := batch(1, pipelines.Count(6), pipelines.Count(2))
		for n := int64(0); n < 4; n++ {
			ctx, cancel := context.WithCancel(s.ctx)
			_, err := d.Advance(ctx, s.c, spec, state, goal, func(_ context.Context, w rule.Workload, _ rule.Batch) error {
				if w.Updated >= n {
					cancel()
				}
				return nil
			})
			cancel()
			if !errors.Is(err, context.Canceled) {
				s.Fatalf("Advance ended with %v, want the context's error", err)
			}
			again := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
			if again.Template != state.Template || again.Previous != state.Previous {
				s.Errorf("Prepare returned %+v, then %+v", state, again)
			}
		}
		must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, goal, nil))
		s.quiet("2", 6)
		s.limits("2", nodes, 6, 2)
		if d.Kind().Kind == "DaemonSet" {
			s.once("2", 6)
		}
	})
}

func TestFailureMode_R32_DisarmedPodComesBackOld(t *testing.T) {
	eachKind(t, func(s *stage, d workload.Driver, shape func(string) *unstructured.Unstructured) {
		from, to := shape("1"), shape("2")
		s.running(from, nodes)
		spec := s.spec(from, to)
		state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
		must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(1, pipelines.Count(3), pipelines.Count(3)), nil))
		disarmed := must[workload.State](s)(d.Disarm(s.ctx, s.c, spec, state))
		if disarmed.Armed || disarmed.Revision != state.Revision && state.Revision != "" {
			s.Errorf("state after Disarm is %+v, before it was %+v", disarmed, state)
		}
		must[workload.State](s)(d.Disarm(s.ctx, s.c, spec, disarmed))
		s.deleteOne("1")
		s.until("the deleted pod is back", func() bool { return s.snapshot().Ready() == nodes })
		s.quiet("2", 3)
		_, err := d.Advance(s.ctx, s.c, spec, disarmed, batch(2, pipelines.Count(5), pipelines.Count(2)), nil)
		code(s.T, err, fault.Refused, "disarmed")
		again := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
		if again.Armed || again.Template != state.Template {
			s.Errorf("Prepare while disarmed returned %+v, want %+v", again, disarmed)
		}
		armed := must[workload.State](s)(d.Arm(s.ctx, s.c, spec, disarmed))
		if !armed.Armed || armed.Template != state.Template {
			s.Errorf("state after Arm is %+v, want it as after Prepare: %+v", armed, state)
		}
		s.quiet("2", 3)
		must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, armed, batch(2, pipelines.Count(5), pipelines.Count(2)), nil))
		s.quiet("2", 5)
		s.limits("2", nodes, 5, 3)
	})
}

// deleteOne deletes one pod with a tag, as a person would.
func (s *stage) deleteOne(tag string) {
	s.Helper()
	for _, p := range s.snapshot().Pods {
		if p.Tag() == tag && !p.Deleting {
			if err := s.c.Delete(s.ctx, schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, p.Namespace, p.Name, types.UID(p.UID)); err != nil {
				s.Fatal(err)
			}
			s.until("the pod is gone", func() bool {
				for _, other := range s.snapshot().Pods {
					if other.UID == p.UID {
						return false
					}
				}
				return true
			})
			return
		}
	}
	s.Fatalf("there is no pod with %s", tag)
}

func TestRevert(t *testing.T) {
	t.Parallel()
	ways := map[string]func(s *stage, d workload.Driver, spec workload.Spec) workload.State{
		"never prepared": func(*stage, workload.Driver, workload.Spec) workload.State { return workload.State{} },
		"prepared only": func(s *stage, d workload.Driver, spec workload.Spec) workload.State {
			return must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
		},
		"mid-batch": func(s *stage, d workload.Driver, spec workload.Spec) workload.State {
			state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
			if _, err := d.Advance(s.ctx, s.c, spec, state, batch(1, pipelines.Count(6), pipelines.Count(2)), whenUpdated(3)); !errors.Is(err, errEnough) {
				s.Fatal(err)
			}
			return state
		},
		"disarmed": func(s *stage, d workload.Driver, spec workload.Spec) workload.State {
			state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
			must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(1, pipelines.Count(4), pipelines.Count(2)), nil))
			return must[workload.State](s)(d.Disarm(s.ctx, s.c, spec, state))
		},
		"all moved": func(s *stage, d workload.Driver, spec workload.Spec) workload.State {
			state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
			must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(1, pipelines.Percent(100), pipelines.Percent(50)), nil))
			return state
		},
		"finished": func(s *stage, d workload.Driver, spec workload.Spec) workload.State {
			state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
			must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(1, pipelines.Percent(100), pipelines.Percent(50)), nil))
			return must[workload.State](s)(d.Finish(s.ctx, s.c, spec, state, false))
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			eachKind(t, func(s *stage, d workload.Driver, shape func(string) *unstructured.Unstructured) {
				from, to := shape("1"), shape("2")
				// Others have put something into the template that no render knows: it has to survive.
				there := shape("1")
				if err := unstructured.SetNestedField(there.Object, "theirs", "spec", "template", "metadata", "annotations", "injected"); err != nil {
					s.Fatal(err)
				}
				s.running(there, nodes)
				before := s.live(from)
				spec := s.spec(from, to)
				state := way(s, d, spec)
				s.until("no pod is on its way", func() bool { return s.snapshot().Ready() >= nodes })
				s.calm()
				s.recorder.Stop()
				s.record()
				facts := must[rule.Facts](s)(d.Revert(s.ctx, s.c, spec, state, pipelines.Count(3), nil))
				if facts.Workload.UpdatedAvailable != nodes {
					s.Errorf("facts at the end are %+v", facts.Workload)
				}
				must[rule.Facts](s)(d.Revert(s.ctx, s.c, spec, state, pipelines.Count(3), nil))
				must[workload.State](s)(d.Finish(s.ctx, s.c, spec, state, true))
				s.quiet("1", nodes)
				if most := s.recorder.Events().MostUnavailable(nodes); most > 3 {
					s.Errorf("%d pods were unavailable at once on the way back, at most 3 may be", most)
				}
				s.wentBack(before)
			})
		})
	}
}

func TestFailureMode_R34_BrokenPodsCostNoBudget(t *testing.T) {
	eachKind(t, func(s *stage, d workload.Driver, shape func(string) *unstructured.Unstructured) {
		shape = breaking(shape, nodes/2)
		from, bad := shape("1"), shape("2-never-ready")
		s.running(from, nodes)
		before := s.live(from)
		spec := s.spec(from, bad)
		state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
		ctx, cancel := context.WithTimeout(s.ctx, 8*time.Second)
		defer cancel()
		var waiting rule.Workload
		_, err := d.Advance(ctx, s.c, spec, state, batch(1, pipelines.Percent(100), pipelines.Count(3)), func(_ context.Context, w rule.Workload, _ rule.Batch) error {
			waiting = w
			return nil
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			s.Fatalf("Advance ended with %v, want that it waits for ever", err)
		}
		if waiting.Updated != 3 || waiting.UpdatedReady != 0 || waiting.Unavailable != 3 {
			s.Errorf("facts while it waits are %+v", waiting)
		}
		s.limits("2-never-ready", nodes, 3, 3)
		// A fix goes forward over the broken pods without any room in the budget: they are replaced first.
		fix := shape("3")
		next := s.spec(from, fix)
		next.Run, next.Fence = "run-2", 2
		state = must[workload.State](s)(d.Prepare(s.ctx, s.c, next))
		must[rule.Facts](s)(d.Advance(s.ctx, s.c, next, state, batch(1, pipelines.Count(3), pipelines.Count(1)), nil))
		s.quiet("3", 3)
		if got := s.snapshot().Tags()["1"]; got != nodes-3 {
			s.Errorf("%d pods are as before, want %d: the broken ones go first", got, nodes-3)
		}
		s.limits("3", nodes, 3, 3)
		must[rule.Facts](s)(d.Revert(s.ctx, s.c, next, state, pipelines.Count(2), nil))
		must[workload.State](s)(d.Finish(s.ctx, s.c, next, state, true))
		s.quiet("1", nodes)
		s.wentBack(before)
	})
}

func TestFailureMode_R39_AForeignWriteStopsTheUnit(t *testing.T) {
	eachKind(t, func(s *stage, d workload.Driver, shape func(string) *unstructured.Unstructured) {
		from, to := shape("1"), shape("2")
		s.running(from, nodes)
		spec := s.spec(from, to)
		state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
		must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(1, pipelines.Count(1), pipelines.Count(1)), nil))
		other := spec
		other.Run = "run-other"
		_, err := d.Prepare(s.ctx, s.c, other)
		code(s.T, err, fault.Conflict, "run-1")
		edit := []byte(`{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"now"}}}}}`)
		if _, err := s.c.Patch(s.ctx, to.GroupVersionKind(), s.namespace, "agent", types.MergePatchType, edit); err != nil {
			s.Fatal(err)
		}
		_, err = d.Advance(s.ctx, s.c, spec, state, batch(2, pipelines.Count(5), pipelines.Count(1)), nil)
		code(s.T, err, fault.Conflict, "somebody else", "agent")
		_, err = d.Finish(s.ctx, s.c, spec, state, false)
		code(s.T, err, fault.Refused)
	})
}

func TestCreated(t *testing.T) {
	eachKind(t, func(s *stage, d workload.Driver, shape func(string) *unstructured.Unstructured) {
		to := shape("1")
		s.record()
		spec := s.spec(nil, to)
		if err := d.Check(s.ctx, s.c, spec, nil); err != nil {
			s.Fatal(err)
		}
		sizes := s.sizes(d, spec, all())
		if sizes[0] != nodes {
			s.Errorf("sizes before it is there are %v, want %d", sizes, nodes)
		}
		state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
		again := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
		if !state.Created || !again.Created || again.Template != state.Template {
			s.Errorf("states are %+v and %+v", state, again)
		}
		must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(1, pipelines.Count(1), pipelines.Count(1)), nil))
		must[workload.State](s)(d.Disarm(s.ctx, s.c, spec, state))
		must[workload.State](s)(d.Arm(s.ctx, s.c, spec, state))
		must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(2, pipelines.Percent(100), pipelines.Count(1)), nil))
		must[workload.State](s)(d.Finish(s.ctx, s.c, spec, state, false))
		after := s.live(to)
		if len(after.GetAnnotations()[workload.HeldAnnotation]) > 0 {
			s.Error("the hold is still there")
		}
		s.quiet("1", nodes)
		other := state
		other.Created = false
		must[rule.Facts](s)(d.Revert(s.ctx, s.c, spec, other, pipelines.Count(1), nil))
		s.quiet("1", nodes) // it is not the run's to delete
		must[rule.Facts](s)(d.Revert(s.ctx, s.c, spec, state, pipelines.Count(1), nil))
		s.absent(to)
		must[workload.State](s)(d.Finish(s.ctx, s.c, spec, state, true))
		// The hold tells as well that the run created it.
		must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
		must[rule.Facts](s)(d.Revert(s.ctx, s.c, spec, workload.State{}, pipelines.Count(1), nil))
		s.absent(to)
	})
}

func (s *stage) absent(like *unstructured.Unstructured) {
	s.Helper()
	_, err := s.c.Get(s.ctx, like.GroupVersionKind(), like.GetNamespace(), like.GetName())
	code(s.T, err, fault.NotFound)
}

func TestLaterUnitOfTheRunTakesOver(t *testing.T) {
	eachKind(t, func(s *stage, d workload.Driver, shape func(string) *unstructured.Unstructured) {
		from, to := shape("1"), shape("2")
		s.running(from, nodes)
		before := s.live(from)
		spec := s.spec(from, to)
		state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
		must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(1, pipelines.Count(3), pipelines.Count(3)), nil))
		must[workload.State](s)(d.Disarm(s.ctx, s.c, spec, workload.State{}))
		next := s.spec(to, from)
		next.Fence = 2
		state = must[workload.State](s)(d.Prepare(s.ctx, s.c, next))
		if !state.Armed {
			s.Errorf("state of the later unit is %+v, want it armed", state)
		}
		if late := must[workload.State](s)(d.Disarm(s.ctx, s.c, spec, state)); late.Armed {
			s.Errorf("a late Disarm of the earlier unit returned %+v", late)
		}
		must[rule.Facts](s)(d.Advance(s.ctx, s.c, next, state, batch(1, pipelines.Percent(100), pipelines.Count(3)), nil))
		must[workload.State](s)(d.Finish(s.ctx, s.c, next, state, false))
		s.quiet("1", nodes)
		s.wentBack(before)
	})
}

func TestGone(t *testing.T) {
	eachKind(t, func(s *stage, d workload.Driver, shape func(string) *unstructured.Unstructured) {
		from, to := shape("1"), shape("2")
		s.running(from, nodes)
		spec := s.spec(from, to)
		state := must[workload.State](s)(d.Disarm(s.ctx, s.c, spec, workload.State{}))
		if state != (workload.State{}) {
			s.Errorf("Disarm of what nobody holds returned %+v", state)
		}
		state = must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
		if err := s.c.Delete(s.ctx, from.GroupVersionKind(), s.namespace, "agent", types.UID(state.UID)); err != nil {
			s.Fatal(err)
		}
		for _, known := range []workload.State{state, {}} {
			must[workload.State](s)(d.Disarm(s.ctx, s.c, spec, known))
			must[rule.Facts](s)(d.Revert(s.ctx, s.c, spec, known, pipelines.Count(1), nil))
			must[workload.State](s)(d.Finish(s.ctx, s.c, spec, known, true))
			_, err := d.Arm(s.ctx, s.c, spec, known)
			code(s.T, err, fault.NotFound, "agent")
		}
	})
}

func TestRevertOfAnAddition(t *testing.T) {
	eachKind(t, func(s *stage, d workload.Driver, shape func(string) *unstructured.Unstructured) {
		from, to := shape("1"), shape("1")
		containers := []any{map[string]any{"name": "agent", "image": "registry.local/agent:1", "env": []any{map[string]any{"name": "ADDED", "value": "x"}}}}
		if err := unstructured.SetNestedSlice(to.Object, containers, "spec", "template", "spec", "containers"); err != nil {
			s.Fatal(err)
		}
		added := func() int {
			pods, err := s.c.List(s.ctx, schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, s.namespace, kube.Filter{})
			if err != nil {
				s.Fatal(err)
			}
			n := 0
			for _, p := range pods {
				text, _ := p.MarshalJSON()
				if p.GetDeletionTimestamp() == nil && strings.Contains(string(text), "ADDED") {
					n++
				}
			}
			return n
		}
		s.running(from, nodes)
		before := s.live(from)
		spec := s.spec(from, to)
		state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
		must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(1, pipelines.Percent(100), pipelines.Percent(50)), nil))
		finished := must[workload.State](s)(d.Finish(s.ctx, s.c, spec, state, false))
		if n := added(); n != nodes {
			s.Fatalf("%d pods have the addition, want %d", n, nodes)
		}
		facts := must[rule.Facts](s)(d.Revert(s.ctx, s.c, spec, finished, pipelines.Percent(50), nil))
		if facts.Workload.UpdatedAvailable != nodes {
			s.Errorf("facts at the end are %+v", facts.Workload)
		}
		must[workload.State](s)(d.Finish(s.ctx, s.c, spec, finished, true))
		if n := added(); n != 0 {
			s.Errorf("%d pods have the addition after the way back", n)
		}
		s.wentBack(before)
	})
}

func TestChangedSincePlanned(t *testing.T) {
	eachKind(t, func(s *stage, d workload.Driver, shape func(string) *unstructured.Unstructured) {
		from, to := shape("1"), shape("2")
		s.running(from, nodes)
		spec := s.spec(from, to)
		edit := []byte(`{"spec":{"minReadySeconds":1}}`)
		if _, err := s.c.Patch(s.ctx, to.GroupVersionKind(), s.namespace, "agent", types.MergePatchType, edit); err != nil {
			s.Fatal(err)
		}
		s.until("the change is seen", func() bool {
			_, err := d.Prepare(s.ctx, s.c, spec)
			return fault.CodeOf(err) == fault.Conflict
		})
		s.quiet("2", 0)
	})
}

func TestFailureMode_R06_GoneEngineFreezes(t *testing.T) {
	eachKind(t, func(s *stage, d workload.Driver, shape func(string) *unstructured.Unstructured) {
		from, to := shape("1"), shape("2")
		s.running(from, nodes)
		spec := s.spec(from, to)
		state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
		_, err := d.Advance(s.ctx, s.c, spec, state, batch(1, pipelines.Percent(100), pipelines.Count(2)), whenUpdated(3))
		if !errors.Is(err, errEnough) {
			s.Fatalf("Advance ended with %v, want what its look returned", err)
		}
		s.until("what was under way is done", func() bool { return s.snapshot().Ready() >= nodes })
		s.calm()
		moved := s.snapshot().Tags()["2"]
		if moved > 5 {
			s.Errorf("%d pods moved after the end at 3 with 2 at once", moved)
		}
		s.quiet("2", moved)
	})
}

func TestObserve(t *testing.T) {
	eachKind(t, func(s *stage, d workload.Driver, shape func(string) *unstructured.Unstructured) {
		from, to := shape("1"), shape("2")
		s.running(from, nodes)
		spec := s.spec(from, to)
		state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
		goal := batch(1, pipelines.Count(2), pipelines.Count(2))
		must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, goal, nil))
		looks, last := 0, time.Now()
		requests := s.c.Requests()
		err := d.Observe(s.ctx, s.c, spec, state, goal, func(_ context.Context, w rule.Workload, b rule.Batch) error {
			looks++
			// Looks are five seconds apart, on a machine that has nothing else to do.
			if gap := time.Since(last); gap > time.Minute {
				s.Errorf("no look for %s", gap)
			}
			last = time.Now()
			if w.Updated != 2 || b.UpdatedReady != 2 {
				s.Errorf("facts are %+v, %+v", w, b)
			}
			if looks == 3 {
				return errEnough
			}
			return nil
		})
		if err != errEnough {
			s.Errorf("it ended with %v, want what its look returned", err)
		}
		if took := s.c.Requests() - requests; took != 0 {
			s.Errorf("looking took %d requests", took)
		}
	})
}

func TestObserveJudgesNobodyElsesTemplate(t *testing.T) {
	eachKind(t, func(s *stage, d workload.Driver, shape func(string) *unstructured.Unstructured) {
		from, to := shape("1"), shape("2")
		s.running(from, nodes)
		spec := s.spec(from, to)
		state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
		goal := batch(1, pipelines.Percent(100), pipelines.Percent(100))
		must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, goal, nil))
		state = must[workload.State](s)(d.Finish(s.ctx, s.c, spec, state, false))
		looked := false
		err := d.Observe(s.ctx, s.c, spec, state, goal, func(_ context.Context, w rule.Workload, _ rule.Batch) error {
			if !looked {
				looked = true
				if w.UpdatedReady != nodes {
					s.Errorf("after it was given back, facts are %+v", w)
				}
				edit := []byte(`{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"now"}}}}}`)
				if _, err := s.c.Patch(s.ctx, to.GroupVersionKind(), s.namespace, "agent", types.MergePatchType, edit); err != nil {
					s.Fatal(err)
				}
			}
			return nil
		})
		if !looked || fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "somebody else changed its pod template") {
			s.Errorf("looked %v, ended with %v", looked, err)
		}
	})
}
