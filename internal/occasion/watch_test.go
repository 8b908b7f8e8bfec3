package occasion_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/occasion"
	"sluice.dev/sluice/internal/probing"
)

// heard is what was told of a cluster.
type heard struct {
	mu  sync.Mutex
	all []probing.Event
}

func (h *heard) happened(_ context.Context, e probing.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, e)
}

// of are the events of a kind, each with its nodes.
func (h *heard) of(kind probing.EventKind) (all []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.all {
		if e.Kind == kind {
			all = append(all, strings.TrimSpace(e.Name+" "+strings.Join(slices.Sorted(slices.Values(e.Nodes)), ",")))
		}
	}
	return all
}

func (h *heard) keys(kind probing.EventKind) (all []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.all {
		if e.Kind != kind {
			continue
		}
		if len(e.Nodes) == 0 {
			all = append(all, e.Key)
		}
		all = append(all, e.NodeKeys...)
	}
	return slices.Sorted(slices.Values(all))
}

// until waits for an event.
func (h *heard) until(t *testing.T, kind probing.EventKind, want string) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if slices.Contains(h.of(kind), want) {
			return
		}
	}
	t.Fatalf("%s %q was not told, but %q", kind, want, h.of(kind))
}

// nodesUntil waits until events of a kind and name have been about so many nodes, and returns these.
func (h *heard) nodesUntil(t *testing.T, kind probing.EventKind, name string, n int) (nodes []string) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		nodes = nil
		h.mu.Lock()
		for _, e := range h.all {
			if e.Kind == kind && (name == "" || e.Name == name) {
				nodes = append(nodes, e.Nodes...)
			}
		}
		h.mu.Unlock()
		if len(nodes) >= n {
			slices.Sort(nodes)
			return nodes
		}
	}
	t.Fatalf("%s of %s was told of %d nodes, not of %d: %v", kind, name, len(nodes), n, nodes)
	return nil
}

// nothing waits for as long as an event takes to be told, and fails the test where one of a kind was.
func (h *heard) nothing(t *testing.T, kinds ...probing.EventKind) {
	t.Helper()
	time.Sleep(1500 * time.Millisecond)
	for _, kind := range kinds {
		if got := h.of(kind); len(got) > 0 {
			t.Errorf("%s was told: %q", kind, got)
		}
	}
}

var everything = []probing.EventKind{
	probing.NodeNew, probing.NodeRebooted, probing.NodeCondition, probing.Deployed, probing.BatchMoved, probing.ControlPlaneRestarted,
}

// begin watches a cluster until the test ends, or the function is called.
func begin(t *testing.T, of *rest.Config, happened func(context.Context, probing.Event)) (end func()) {
	t.Helper()
	skip := true
	options := manager.Options{Metrics: server.Options{BindAddress: "0"}, HealthProbeBindAddress: "0"}
	options.Controller.SkipNameValidation = &skip
	m, err := manager.New(of, options)
	if err != nil {
		t.Fatal(err)
	}
	if err := occasion.Add("a", m, happened); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Start(ctx) }()
	return sync.OnceFunc(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the manager ended: %v", err)
		}
	})
}

// object reads an object.
func object(t *testing.T, text string, of ...any) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(fmt.Appendf(nil, text, of...), &o.Object); err != nil {
		t.Fatal(err)
	}
	return o
}

// old are objects that were made a day ago.
func old(t *testing.T, in *kubetest.Server, objects ...*unstructured.Unstructured) {
	t.Helper()
	clock := in.Clock
	in.Clock = testingclock.NewFakeClock(time.Now().Add(-24 * time.Hour))
	in.Put(objects...)
	in.Clock = clock
}

// since is a time as objects have it.
func since(ago time.Duration) string { return time.Now().Add(-ago).UTC().Format(time.RFC3339) }

func node(t *testing.T, name, boot string, conditions ...string) *unstructured.Unstructured {
	t.Helper()
	o := object(t, `{apiVersion: v1, kind: Node, metadata: {name: %s}, status: {nodeInfo: {bootID: %q}, conditions: []}}`, name, boot)
	var all []any
	for _, c := range conditions {
		kind, rest, _ := strings.Cut(c, "=")
		status, at, found := strings.Cut(rest, "@")
		if !found {
			at = since(24 * time.Hour)
		}
		all = append(all, map[string]any{"type": kind, "status": status, "lastTransitionTime": at})
	}
	if err := unstructured.SetNestedSlice(o.Object, all, "status", "conditions"); err != nil {
		t.Fatal(err)
	}
	return o
}

func set(t *testing.T, name, image string) *unstructured.Unstructured {
	t.Helper()
	return object(t, `{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: %[1]s, namespace: kube-system}, spec: {selector: {matchLabels: {app: %[1]s}},
		updateStrategy: {type: RollingUpdate}, template: {metadata: {labels: {app: %[1]s}}, spec: {containers: [{name: main, image: %[2]q}]}}}}`, name, image)
}

func part(t *testing.T, component, on, container string, restarts int, ago time.Duration) *unstructured.Unstructured {
	t.Helper()
	return object(t, `{apiVersion: v1, kind: Pod, metadata: {name: %[1]s-%[2]s, namespace: kube-system, labels: {tier: control-plane, component: %[1]s}},
		spec: {nodeName: %[2]s}, status: {phase: Running, containerStatuses: [{name: main, containerID: %[3]q, restartCount: %[4]d,
		state: {running: {startedAt: %[5]q}}}]}}`, component, on, container, restarts, since(ago))
}
