package drivers_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

func (s *stage) budget(spec string) {
	s.Helper()
	budget := s.object(`
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: tight, namespace: NS}
spec: {selector: {matchLabels: {app: agent}}, `+spec+`}
`, "")
	if _, err := s.c.Create(s.ctx, budget); err != nil {
		s.Fatal(err)
	}
}

func TestFailureMode_R34_BudgetThatNeverAllows(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		spec   string
		want   fault.Code
		reason string
	}{
		"maxUnavailable":         {"maxUnavailable: 1", fault.Refused, "a DaemonSet has no scale to count from"},
		"minAvailable percent":   {"minAvailable: 50%", fault.Refused, "a DaemonSet has no scale to count from"},
		"minAvailable all":       {"minAvailable: 10", fault.Refused, "as many pods as there are"},
		"minAvailable with room": {"minAvailable: 8", "", "two pods may go"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			from := s.daemonSet("1")
			s.running(from, nodes)
			s.budget(c.spec)
			spec := s.spec(from, s.daemonSet("2"))
			err := driverOf(t, from).Check(s.ctx, s.c, spec, s.live(from))
			if c.want == "" && err == nil {
				return
			}
			code(t, err, c.want, "PodDisruptionBudget tight", c.reason)
		})
	}
}

func TestBudgetIsWaitedFor(t *testing.T) {
	s := newStage(t)
	from, to := s.daemonSet("1"), s.daemonSet("2")
	s.running(from, nodes)
	s.budget("minAvailable: 10")
	s.until("the budget is computed", func() bool {
		budget, err := s.c.Get(s.ctx, schema.GroupVersionKind{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"}, s.namespace, "tight")
		n, _, _ := unstructured.NestedInt64(budget.Object, "status", "currentHealthy")
		return err == nil && n == nodes
	})
	d := driverOf(t, to)
	spec := s.spec(from, to)
	state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
	said := ""
	must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(1, pipelines.Count(2), pipelines.Count(2)), func(_ context.Context, w rule.Workload, _ rule.Batch) error {
		i := slices.IndexFunc(w.Waiting, func(reason string) bool { return strings.HasPrefix(reason, "DisruptionBudget") })
		if i < 0 || said != "" {
			return nil
		}
		said = w.Waiting[i]
		if w.Updated != 0 {
			t.Errorf("%d pods moved though the budget allows none", w.Updated)
		}
		_, err := s.c.Patch(s.ctx, schema.GroupVersionKind{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"}, s.namespace, "tight", types.MergePatchType, []byte(`{"spec":{"minAvailable":8}}`))
		return err
	}))
	if !strings.Contains(said, "tight") {
		t.Errorf("while it waited it said %q, want the budget's name", said)
	}
	s.once("2", 2)
}

func TestNodeSets(t *testing.T) {
	s := newStage(t)
	from, to := s.daemonSet("1"), s.daemonSet("2")
	s.running(from, nodes)
	var names []string
	for _, p := range s.snapshot().Pods {
		names = append(names, p.Node)
	}
	slices.Sort(names)
	first := []string{names[7], names[2], names[4]}
	sets := []pipelines.NodeSet{{Name: "first", Selector: pipelines.Selector{Names: first}}, {Name: "rest", Selector: pipelines.Selector{All: true}}}
	d := driverOf(t, to)
	spec := s.spec(from, to)
	state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
	sizes := s.sizes(d, spec, sets)
	if !slices.Equal(sizes, []int{3, 7}) {
		t.Fatalf("sizes are %v, want [3 7]", sizes)
	}
	want := func(set, number int, amount pipelines.Amount, nodes ...string) {
		t.Helper()
		goal := workload.Goal{Sets: sets, Set: set, Number: number, Amount: amount, MaxUnavailable: pipelines.Count(3)}
		facts := must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, goal, nil))
		var got []string
		for _, p := range s.snapshot().Pods {
			if p.Tag() == "2" {
				got = append(got, p.Node)
			}
		}
		slices.Sort(got)
		slices.Sort(nodes)
		if !slices.Equal(got, nodes) {
			t.Errorf("set %d batch %d moved %v, want %v", set, number, got, nodes)
		}
		if facts.Batch.Updated != facts.Batch.Target || facts.Batch.NodeSet != sets[set].Name || facts.Batch.Total != int64(sizes[set]) {
			t.Errorf("set %d batch %d: facts are %+v", set, number, facts.Batch)
		}
	}
	want(0, 1, pipelines.Count(1), names[2])
	want(0, 2, pipelines.Percent(100), names[2], names[4], names[7])
	want(1, 1, pipelines.Count(2), names[0], names[1], names[2], names[4], names[7])
	_, err := d.Finish(s.ctx, s.c, spec, state, false)
	code(t, err, fault.Refused, "5 of 10 pods", "agent")
	want(1, 2, pipelines.Percent(100), slices.Clone(names)...)
	must[workload.State](s)(d.Finish(s.ctx, s.c, spec, state, false))
	s.once("2", nodes)
}

func TestPodsOfOthersUseTheBatchUp(t *testing.T) {
	s := newStage(t)
	from, to := s.daemonSet("1"), s.daemonSet("2")
	s.running(from, nodes)
	d := driverOf(t, to)
	spec := s.spec(from, to)
	state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
	s.deleteOne("1") // a reboot: it comes back at the new revision, since the DaemonSet is armed
	s.deleteOne("1")
	s.until("the pods are back", func() bool { return s.snapshot().Ready() == nodes })
	must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(1, pipelines.Count(1), pipelines.Count(1)), nil))
	s.quiet("2", 2)
	must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(2, pipelines.Count(3), pipelines.Count(1)), nil))
	s.quiet("2", 3)
	s.once("2", 3)
}

func TestOwnersOnDelete(t *testing.T) {
	s := newStage(t)
	from, to := s.daemonSet("1"), s.daemonSet("2")
	if err := unstructured.SetNestedField(from.Object, "OnDelete", "spec", "updateStrategy", "type"); err != nil {
		t.Fatal(err)
	}
	s.running(from, nodes)
	code(t, driverOf(t, to).Check(s.ctx, s.c, s.spec(from, to), s.live(from)), fault.Refused, "OnDelete", "agent")
}

func TestFactsOfACrash(t *testing.T) {
	s := newStage(t)
	from, to := s.daemonSet("1"), s.daemonSet("2-crash")
	s.running(from, nodes)
	d := driverOf(t, to)
	spec := s.spec(from, to)
	state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
	var last rule.Workload
	_, err := d.Advance(s.ctx, s.c, spec, state, batch(1, pipelines.Count(2), pipelines.Count(2)), func(_ context.Context, w rule.Workload, _ rule.Batch) error {
		last = w
		if w.Restarts > 0 && len(w.Waiting) > 0 {
			return errEnough
		}
		return nil
	})
	if err != errEnough {
		t.Fatalf("got %v, want the look's own error as it is; facts are %+v", err, last)
	}
	if last.OldRestarts != 0 || last.UpdatedAvailable != 0 || !slices.Contains(last.Waiting, "CrashLoopBackOff") {
		t.Errorf("facts are %+v", last)
	}
	facts := must[rule.Facts](s)(d.Facts(s.ctx, s.c, spec, state, batch(1, pipelines.Count(2), pipelines.Count(2))))
	if facts.Workload.Restarts == 0 || facts.Workload.Revision != state.Revision {
		t.Errorf("facts are %+v", facts.Workload)
	}
	t.Logf("facts: %+v", facts)
}

func TestMinReadySeconds(t *testing.T) {
	eachKind(t, func(s *stage, d workload.Driver, shape func(string) *unstructured.Unstructured) {
		from, to := shape("1"), shape("2")
		for _, object := range []*unstructured.Unstructured{from, to} {
			if err := unstructured.SetNestedField(object.Object, int64(2), "spec", "minReadySeconds"); err != nil {
				s.Fatal(err)
			}
		}
		s.running(from, nodes)
		before := s.live(from)
		spec := s.spec(from, to)
		state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
		seen := false
		facts := must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(1, pipelines.Count(2), pipelines.Count(2)), func(_ context.Context, w rule.Workload, _ rule.Batch) error {
			seen = seen || w.UpdatedReady == 2 && w.UpdatedAvailable == 0
			return nil
		}))
		if !seen || facts.Workload.UpdatedAvailable != 2 {
			s.Errorf("pods that were ready but not yet available were never seen; facts are %+v", facts.Workload)
		}
		must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(2, pipelines.Percent(100), pipelines.Percent(50)), nil))
		must[workload.State](s)(d.Finish(s.ctx, s.c, spec, state, false))
		s.quiet("2", nodes)
		s.finished(before, to)
	})
}
