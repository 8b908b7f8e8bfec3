package drivers_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// noKubelet keeps a pod Terminating, as the API server does while no kubelet has said that it has ended.
const noKubelet = "test.sluice.dev/no-kubelet"

var (
	nodeKind = schema.GroupVersionKind{Version: "v1", Kind: "Node"}
	podKind  = schema.GroupVersionKind{Version: "v1", Kind: "Pod"}

	leaseKind = schema.GroupVersionKind{Group: "coordination.k8s.io", Version: "v1", Kind: "Lease"}
)

// kill takes a node's kubelet away. It comes back at the end of the test.
func (s *stage) kill(node string) {
	s.Helper()
	s.hush(node)
	s.condition(node, "False")
}

// hush takes a node's kubelet away, which nobody knows yet.
func (s *stage) hush(node string) {
	s.Helper()
	s.Cleanup(func() { s.wake(node) })
	s.finalizers(node, noKubelet)
	// The simulation says that a node is ready for as long as it holds its lease.
	held, err := json.Marshal(map[string]any{"spec": map[string]any{
		"holderIdentity": "nobody", "leaseDurationSeconds": 3600, "renewTime": time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"),
	}})
	if err != nil {
		s.Fatal(err)
	}
	if _, err := s.c.Patch(s.ctx, leaseKind, "kube-node-lease", node, types.MergePatchType, held); err != nil {
		s.Fatal(err)
	}
	time.Sleep(time.Second)
}

// wake gives a node its kubelet back.
func (s *stage) wake(node string) {
	s.Helper()
	if lease, err := s.c.Get(s.ctx, leaseKind, "kube-node-lease", node); err == nil {
		if holder, _, _ := unstructured.NestedString(lease.Object, "spec", "holderIdentity"); holder == "nobody" {
			_ = s.c.Delete(s.ctx, leaseKind, "kube-node-lease", node, "")
		}
	}
	s.condition(node, "True")
	s.finalizers(node)
	s.until("node "+node+" is alive for others too", func() bool {
		object, err := s.c.Get(context.Background(), nodeKind, "", node)
		if err != nil {
			return false
		}
		taints, _, _ := unstructured.NestedSlice(object.Object, "spec", "taints")
		conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
		return len(taints) == 0 && slices.ContainsFunc(conditions, func(c any) bool {
			is, _ := c.(map[string]any)
			return is["type"] == "Ready" && is["status"] == "True"
		})
	})
}

// finalizers sets those of a node's pods.
func (s *stage) finalizers(node string, want ...string) {
	s.Helper()
	for _, p := range must[[]*unstructured.Unstructured](s)(s.c.List(s.ctx, podKind, s.namespace, kube.Filter{Fields: "spec.nodeName=" + node})) {
		text, err := json.Marshal(map[string]any{"metadata": map[string]any{"finalizers": want}})
		if err != nil {
			s.Fatal(err)
		}
		if _, err := s.c.Patch(s.ctx, podKind, s.namespace, p.GetName(), types.MergePatchType, text); err != nil && fault.CodeOf(err) != fault.NotFound {
			s.Fatal(err)
		}
	}
}

func (s *stage) condition(node, ready string) {
	s.Helper()
	object, err := s.c.Get(context.Background(), nodeKind, "", node)
	if err != nil {
		s.Fatal(err)
	}
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, c := range conditions {
		if c := c.(map[string]any); c["type"] == "Ready" {
			c["status"], c["reason"], c["lastTransitionTime"] = ready, "Test", time.Now().UTC().Format(time.RFC3339)
		}
	}
	text, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": conditions}})
	if err != nil {
		s.Fatal(err)
	}
	s.kubectl("patch", "node", node, "--subresource=status", "--type=merge", "-p", string(text))
}

func (s *stage) kubectl(args ...string) {
	s.Helper()
	stack(s.T).Run(s.T, append([]string{"kubectl", "--cluster", s.cluster}, args...)...)
}

// on returns the nodes that have a pod of a tag, Terminating ones not among them.
func (s *stage) on(tag string) []string {
	var nodes []string
	for _, p := range s.snapshot().Pods {
		if p.Tag() == tag && !p.Deleting {
			nodes = append(nodes, p.Node)
		}
	}
	slices.Sort(nodes)
	return nodes
}

func TestADeadNodeIsSetAside(t *testing.T) {
	s := newStageAlone(t)
	from, to := s.daemonSet("1"), s.daemonSet("2")
	s.running(from, nodes)
	names := s.on("1")
	d := driverOf(t, to)
	spec := s.spec(from, to)
	s.kill(names[0])
	s.until("the dead node is seen", func() bool { return len(must[[]workload.Size](s)(d.Sizes(s.ctx, s.c, spec, all()))[0].Behind) == 1 })
	size := must[[]workload.Size](s)(d.Sizes(s.ctx, s.c, spec, all()))[0]
	if size.Pods != nodes-1 || size.Behind[0].Name != names[0] || !strings.Contains(size.Behind[0].Why, "Ready is False") || size.Behind[0].Since.IsZero() {
		t.Fatalf("the size is %+v", size)
	}
	spec.Behind = []string{names[0]}
	state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
	facts := must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(1, pipelines.Count(1), pipelines.Count(1)), nil))
	if got := s.on("2"); !slices.Equal(got, names[1:2]) {
		t.Errorf("the first batch moved %v, want %s: the dead node is no canary", got, names[1])
	}
	if b := facts.Batch; b.Target != 1 || b.UpdatedReady != 1 || b.Lost != 0 || b.Total != nodes-1 || facts.Workload.Desired != nodes-1 || facts.Workload.Unavailable != 0 {
		t.Errorf("facts are %+v and %+v", facts.Batch, facts.Workload)
	}
	facts = must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(2, pipelines.Percent(100), pipelines.Count(2)), nil))
	if got := s.on("2"); len(got) != nodes-1 || facts.Batch.UpdatedReady != nodes-1 {
		t.Errorf("the last batch moved %v, facts are %+v", got, facts.Batch)
	}
	s.wake(names[0])
	s.until("it is back", func() bool { return s.snapshot().Ready() == nodes && s.sizes(d, spec, all())[0] == nodes })
	facts = must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(2, pipelines.Percent(100), pipelines.Count(2)), nil))
	if got := s.on("2"); len(got) != nodes || facts.Batch.UpdatedReady != nodes || facts.Batch.Target != nodes {
		t.Errorf("once it is back %v have moved, facts are %+v", got, facts.Batch)
	}
	must[workload.State](s)(d.Finish(s.ctx, s.c, spec, state, false))
	s.once("2", nodes)
}

func TestADeadNodeIsLeftToTheOwner(t *testing.T) {
	s := newStageAlone(t)
	from, to := s.daemonSet("1"), s.daemonSet("2")
	s.running(from, nodes)
	before, names := s.live(from), s.on("1")
	d := driverOf(t, to)
	spec := s.spec(from, to)
	s.kill(names[3])
	s.until("the dead node is seen", func() bool { return s.sizes(d, spec, all())[0] == nodes-1 })
	spec.Behind = []string{names[3]}
	state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
	must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(1, pipelines.Percent(100), pipelines.Count(3)), nil))
	if left := s.on("1"); !slices.Equal(left, names[3:4]) {
		t.Errorf("%v have the old version, want the dead node alone", left)
	}
	must[workload.State](s)(d.Finish(s.ctx, s.c, spec, state, false))
	s.finished(before, to)
	s.wake(names[3])
	s.until("the owner's strategy has moved it", func() bool { return len(s.on("2")) == nodes && s.snapshot().Ready() == nodes })
}

func TestANodeThatDiesUnderABatch(t *testing.T) {
	s := newStageAlone(t)
	from, to := s.daemonSet("1"), s.daemonSet("2")
	s.running(from, nodes)
	names := s.on("1")
	d := driverOf(t, to)
	spec := s.spec(from, to)
	state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
	// The kubelet dies before anybody knows: its pod is evicted and stays Terminating.
	s.hush(names[1])
	told := false
	var said []string
	facts := must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(1, pipelines.Count(2), pipelines.Count(2)), func(_ context.Context, w rule.Workload, b rule.Batch) error {
		said = append(said, w.Waiting...)
		if !told && b.UpdatedReady == 1 {
			told = true
			s.condition(names[1], "False")
		}
		return nil
	}))
	if b := facts.Batch; b.Target != 2 || b.UpdatedReady != 1 || b.Lost != 1 {
		t.Errorf("facts are %+v, want that one of two is lost", b)
	}
	if !slices.ContainsFunc(said, func(text string) bool { return strings.HasPrefix(text, "NodeLost: "+names[1]) }) {
		t.Errorf("while it moved it said %q, want the node's name", said)
	}
	if got := s.on("2"); !slices.Equal(got, names[:1]) {
		t.Errorf("%v have moved: no node moves in the place of one that died", got)
	}
	// It uses up what may be unavailable: with a budget of one nobody else moves, with two one at a time.
	ctx, cancel := context.WithTimeout(s.ctx, 3*time.Second)
	_, err := d.Advance(ctx, s.c, spec, state, batch(2, pipelines.Count(3), pipelines.Count(1)), nil)
	cancel()
	if got := s.on("2"); err == nil || len(got) != 1 {
		t.Errorf("beside a dead node, with a budget of 1, %v have moved; the call ended with %v", got, err)
	}
	facts = must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(3, pipelines.Percent(100), pipelines.Count(2)), nil))
	if b := facts.Batch; b.Target != nodes || b.UpdatedReady != nodes-1 || b.Lost != 1 {
		t.Errorf("facts at the end are %+v", b)
	}
	must[workload.State](s)(d.Finish(s.ctx, s.c, spec, state, false))
	s.wake(names[1])
	s.until("it is back at the new version", func() bool { return len(s.on("2")) == nodes && s.snapshot().Ready() == nodes })
}

func TestARollbackWaitsForNoDeadNode(t *testing.T) {
	s := newStageAlone(t)
	from, to := s.daemonSet("1"), s.daemonSet("2")
	s.running(from, nodes)
	before, names := s.live(from), s.on("1")
	d := driverOf(t, to)
	spec := s.spec(from, to)
	state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
	must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(1, pipelines.Count(4), pipelines.Count(2)), nil))
	s.kill(names[2]) // has the new version
	s.kill(names[9]) // has the old one
	s.until("the dead nodes are seen", func() bool { return s.sizes(d, spec, all())[0] == nodes-2 })
	facts := must[rule.Facts](s)(d.Revert(s.ctx, s.c, spec, state, pipelines.Count(1), nil))
	if got := s.on("2"); !slices.Equal(got, names[2:3]) {
		t.Errorf("%v still have the new version, want the dead node alone", got)
	}
	if facts.Workload.Desired != nodes-2 || facts.Workload.UpdatedReady != nodes-2 {
		t.Errorf("facts are %+v", facts.Workload)
	}
	must[workload.State](s)(d.Finish(s.ctx, s.c, spec, state, true))
	sameStrategy(t, before, s.live(from))
	s.wake(names[2])
	s.wake(names[9])
	s.until("the owner's strategy has taken it back", func() bool { return len(s.on("1")) == nodes && s.snapshot().Ready() == nodes })
}
