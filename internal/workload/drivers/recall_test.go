package drivers_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/patch"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// TestFoundUnowned takes a workload that was there before its first run and that nobody had recorded through an aborted run,
// and through a second one that is rolled back.
func TestFoundUnowned(t *testing.T) {
	eachKind(t, func(s *stage, d workload.Driver, shape func(string) *unstructured.Unstructured) {
		there := shape("1")
		if err := unstructured.SetNestedField(there.Object, "theirs", "spec", "template", "metadata", "annotations", "injected"); err != nil {
			s.Fatal(err)
		}
		s.running(there, nodes)
		before := s.live(there)
		// plan is what a run finds to do that comes after others which wrote these shapes.
		plan := func(run string, fence int64, to *unstructured.Unstructured, wrote ...*unstructured.Unstructured) (workload.Spec, []api.Refusal) {
			live := s.live(to)
			var recorded *unstructured.Unstructured
			options := patch.Options{Leave: d.Holds(), Intents: wrote}
			if len(wrote) > 0 {
				recorded = wrote[len(wrote)-1]
			}
			if left := workload.Disarmed(live, recorded); left != nil {
				options.Intents = append(options.Intents, left)
			}
			found := must[patch.Change](s)(patch.Compute(patch.Triple{Recorded: recorded, Live: live, Target: to}, options))
			return workload.Spec{
				Run: run, Fence: fence, Target: to, Patch: found.Patch, PatchType: found.PatchType,
				LiveVersion: live.GetResourceVersion(), LiveGeneration: live.GetGeneration(),
			}, found.Refusals
		}

		first := shape("2")
		spec, _ := plan("run-1", 1, first)
		left := must[rule.Facts](s)(d.Revert(s.ctx, s.c, spec, workload.State{}, pipelines.Count(3), nil))
		if left.Workload.Ready != nodes {
			s.Errorf("a workload that the run never held is %+v after a way back", left.Workload)
		}
		s.wentBack(before)
		state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
		must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(1, pipelines.Count(3), pipelines.Count(3)), nil))
		disarmed := must[workload.State](s)(d.Disarm(s.ctx, s.c, spec, state))
		armed := must[workload.State](s)(d.Arm(s.ctx, s.c, spec, disarmed))
		if disarmed.Armed || !armed.Armed || armed.Template != state.Template || armed.Previous == "" {
			s.Errorf("states are %+v, disarmed %+v, armed %+v", state, disarmed, armed)
		}
		must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, armed, batch(2, pipelines.Count(4), pipelines.Count(3)), nil))

		// The run is aborted: a pod that is made anew is as it was.
		if after := must[workload.State](s)(d.Disarm(s.ctx, s.c, spec, workload.State{})); after.Armed {
			s.Errorf("the state after an abort is %+v", after)
		}
		s.deleteOne("1")
		s.until("the deleted pod is back", func() bool { return s.snapshot().Ready() == nodes })
		s.quiet("2", 4)

		// The next run takes it over, and finds no drift in what the first one left.
		next, refusals := plan("run-2", 2, shape("3"), first)
		if len(refusals) > 0 {
			s.Fatalf("the next plan refuses %+v", refusals)
		}
		if err := d.Check(s.ctx, s.c, next, s.live(there)); err != nil {
			s.Fatal(err)
		}
		state = must[workload.State](s)(d.Prepare(s.ctx, s.c, next))
		must[rule.Facts](s)(d.Advance(s.ctx, s.c, next, state, batch(1, pipelines.Count(2), pipelines.Count(3)), nil))
		s.quiet("3", 2)

		// It is rolled back: to what was there before either of them.
		facts := must[rule.Facts](s)(d.Revert(s.ctx, s.c, next, state, pipelines.Count(3), nil))
		if facts.Workload.UpdatedAvailable != nodes {
			s.Errorf("facts at the end of the way back are %+v", facts.Workload)
		}
		must[rule.Facts](s)(d.Revert(s.ctx, s.c, next, workload.State{}, pipelines.Count(3), nil))
		must[workload.State](s)(d.Finish(s.ctx, s.c, next, state, true))
		s.quiet("1", nodes)
		s.wentBack(before)

		// A run that went all the way can be rolled back as well.
		last, _ := plan("run-3", 3, shape("4"))
		state = must[workload.State](s)(d.Prepare(s.ctx, s.c, last))
		must[rule.Facts](s)(d.Advance(s.ctx, s.c, last, state, batch(1, pipelines.Percent(100), pipelines.Percent(50)), nil))
		state = must[workload.State](s)(d.Finish(s.ctx, s.c, last, state, false))
		must[rule.Facts](s)(d.Revert(s.ctx, s.c, last, state, pipelines.Percent(50), nil))
		must[workload.State](s)(d.Finish(s.ctx, s.c, last, state, true))
		s.quiet("1", nodes)
		s.wentBack(before)
	})
}

// TestEditOfADisarmedWorkload sees an edit by hand for the drift that it is.
func TestEditOfADisarmedWorkload(t *testing.T) {
	s := newStage(t)
	from, to := s.daemonSet("1"), s.daemonSet("2")
	s.running(from, nodes)
	d, spec := driverOf(t, to), s.spec(from, to)
	spec.WayBack = nil
	state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
	if left := workload.Disarmed(s.live(to), to); left != nil {
		t.Errorf("an armed workload is taken for a disarmed one: %v", left)
	}
	must[workload.State](s)(d.Disarm(s.ctx, s.c, spec, state))
	left := workload.Disarmed(s.live(to), to)
	if left == nil {
		t.Fatal("a disarmed workload is not known for one")
	}
	if image, _, _ := unstructured.NestedSlice(left.Object, "spec", "template", "spec", "containers"); image[0].(map[string]any)["image"] != "registry.local/agent:1" {
		t.Errorf("a disarmed workload has %v", image)
	}
	edit := []byte(`{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"now"}}}}}`)
	if _, err := s.c.Patch(s.ctx, to.GroupVersionKind(), s.namespace, "agent", types.MergePatchType, edit); err != nil {
		t.Fatal(err)
	}
	if left := workload.Disarmed(s.live(to), to); left != nil {
		t.Errorf("an edit by hand is taken for what was there before: %v", left)
	}
}
