package drivers_test

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/patch"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// TestPlacementReachesAtOnce shows what the rule reaches-at-once keeps from happening: a DaemonSet that changes which nodes
// it is for does so in no batch, on OnDelete and with every batch closed.
func TestPlacementReachesAtOnce(t *testing.T) {
	s := newStage(t)
	from, to := s.daemonSet("1"), s.daemonSet("2")
	s.running(from, nodes)
	pods := s.snapshot().Pods
	keep := []any{pods[0].Node, pods[1].Node, pods[2].Node}
	affinity := map[string]any{"nodeAffinity": map[string]any{"requiredDuringSchedulingIgnoredDuringExecution": map[string]any{"nodeSelectorTerms": []any{
		map[string]any{"matchFields": []any{map[string]any{"key": "metadata.name", "operator": "In", "values": keep[:1]}}},
		map[string]any{"matchFields": []any{map[string]any{"key": "metadata.name", "operator": "In", "values": keep[1:2]}}},
		map[string]any{"matchFields": []any{map[string]any{"key": "metadata.name", "operator": "In", "values": keep[2:]}}},
	}}}}
	if err := unstructured.SetNestedMap(to.Object, affinity, "spec", "template", "spec", "affinity"); err != nil {
		t.Fatal(err)
	}
	d := driverOf(t, to)
	compute := func(exceptions ...pipelines.Exception) patch.Change {
		t.Helper()
		return must[patch.Change](s)(patch.Compute(patch.Triple{Recorded: from, Live: s.live(from), Target: to}, patch.Options{Leave: d.Holds(), Exceptions: exceptions}))
	}
	if found := compute(); len(found.Refusals) != 1 || found.Refusals[0].Rule != api.RuleReachesAtOnce {
		t.Fatalf("refusals are %+v, want one of %s", found.Refusals, api.RuleReachesAtOnce)
	}
	found := compute(pipelines.Exception{Rule: string(api.RuleReachesAtOnce), Object: "DaemonSet/" + s.namespace + "/agent", Reason: "three nodes are meant"})
	if len(found.Refusals) != 0 || len(found.Excepted) != 1 {
		t.Fatalf("with an exception refusals are %+v, excepted %+v", found.Refusals, found.Excepted)
	}

	live := s.live(from)
	spec := workload.Spec{
		Run: "run-1", Fence: 1, Target: to, WayBack: from, Patch: found.Patch, PatchType: found.PatchType,
		LiveVersion: live.GetResourceVersion(), LiveGeneration: live.GetGeneration(),
	}
	there := func(want int) func() bool {
		return func() bool { tags := s.snapshot().Tags(); return tags["1"] == want && tags["2"] == 0 }
	}
	state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
	s.until("the pods of the other nodes are gone though no batch is open", there(len(keep)))
	for _, p := range s.snapshot().Pods {
		if !p.Deleting && !slices.Contains(keep, any(p.Node)) {
			t.Errorf("node %s still has a pod", p.Node)
		}
	}
	state = must[workload.State](s)(d.Disarm(s.ctx, s.c, spec, state))
	s.until("the pods of before are back everywhere", there(nodes))
	state = must[workload.State](s)(d.Arm(s.ctx, s.c, spec, state))
	s.until("the pods of the other nodes are gone again", there(len(keep)))
	must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(1, pipelines.Percent(100), pipelines.Count(1)), nil))
	must[workload.State](s)(d.Finish(s.ctx, s.c, spec, state, false))
	s.quiet("2", len(keep))
	if again := compute(); again.Action != patch.Unchanged || len(again.Refusals) != 0 {
		t.Errorf("once it is there, it is %s with refusals %+v", again.Action, again.Refusals)
	}
}
