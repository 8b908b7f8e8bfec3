package drivers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/localtest"
	"sluice.dev/sluice/internal/witness"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/drivers"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// nodes is how many nodes the cluster of these tests has.
const nodes = 10

var stack localtest.Get

// The tests of cluster "a" share it. That of cluster "b" has it for itself, and may take its nodes and its API server away.
var (
	sharing = make(localtest.Turns, 5)
	alone   = make(localtest.Turns, 1)
)

func TestMain(m *testing.M) {
	localtest.ByTurns()
	os.Exit(localtest.Main(m, []string{"a", "b"}, nodes, func(get localtest.Get) { stack = get }))
}

// stage is a namespace of its own in a real cluster, with a recorder that watches its pods.
type stage struct {
	*testing.T
	ctx       context.Context
	cluster   string
	c         *kube.Cluster
	namespace string
	recorder  *witness.Recorder
	reader    *witness.Reader
}

func newStage(t *testing.T) *stage {
	t.Helper()
	sharing.Take(t)
	return newStageIn(t, "a")
}

// newStageAlone is in a cluster that no other test is in.
func newStageAlone(t *testing.T) *stage {
	t.Helper()
	alone.Take(t)
	return newStageIn(t, "b")
}

func newStageIn(t *testing.T, cluster string) *stage {
	t.Helper()
	s := stack(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	pool := kube.NewPool(kube.Options{Kubeconfigs: []string{s.Kubeconfig}})
	t.Cleanup(pool.Close)
	c, err := pool.Cluster(ctx, cluster)
	if err != nil {
		t.Fatal(err)
	}
	name := "t-" + strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	if len(name) > 60 {
		name = name[:60]
	}
	name = strings.Trim(name, "-")
	namespace := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name}}}
	if _, err := c.Create(ctx, namespace); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Delete(context.Background(), schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, "", name, "")
	})
	reader, err := witness.Open(s.Kubeconfig, cluster)
	if err != nil {
		t.Fatal(err)
	}
	return &stage{T: t, ctx: ctx, cluster: cluster, c: c, namespace: name, reader: reader}
}

func (s *stage) daemonSet(tag string) *unstructured.Unstructured {
	return s.object(`
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: NS, labels: {app: agent}}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      containers:
      - {name: agent, image: "registry.local/agent:TAG"}
`, tag)
}

func (s *stage) deployment(tag string, replicas int) *unstructured.Unstructured {
	return s.object(fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: agent, namespace: NS, labels: {app: agent}}
spec:
  replicas: %d
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      containers:
      - {name: agent, image: "registry.local/agent:TAG"}
`, replicas), tag)
}

func (s *stage) object(text, tag string) *unstructured.Unstructured {
	s.Helper()
	text = strings.ReplaceAll(strings.ReplaceAll(text, "NS", s.namespace), "TAG", tag)
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
		s.Fatal(err)
	}
	raw, err := json.Marshal(object.Object)
	if err != nil {
		s.Fatal(err)
	}
	if err := object.UnmarshalJSON(raw); err != nil {
		s.Fatal(err)
	}
	return object
}

// running creates an object and waits until it has this many ready pods; then the recorder starts.
func (s *stage) running(object *unstructured.Unstructured, pods int) {
	s.Helper()
	if _, err := s.c.Create(s.ctx, object); err != nil {
		s.Fatal(err)
	}
	s.until("all pods are ready", func() bool { return s.snapshot().Ready() == pods })
	s.record()
}

func (s *stage) record() {
	s.Helper()
	recorder, err := s.reader.Record(s.ctx, s.namespace)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { recorder.Stop() })
	s.recorder = recorder
}

func (s *stage) snapshot() witness.Snapshot {
	s.Helper()
	snapshot, err := s.reader.Snapshot(s.ctx, s.namespace)
	if err != nil {
		s.Fatal(err)
	}
	return snapshot
}

func (s *stage) until(what string, holds func() bool) {
	s.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if holds() {
			return
		}
	}
	s.Fatalf("waited for 2 minutes, still not: %s; there is %s", what, s.snapshot().Running())
}

func (s *stage) live(like *unstructured.Unstructured) *unstructured.Unstructured {
	s.Helper()
	live, err := s.c.Get(s.ctx, like.GroupVersionKind(), like.GetNamespace(), like.GetName())
	if err != nil {
		s.Fatal(err)
	}
	return live
}

// spec is what a run would pass to a driver that moves from one shape to the other.
func (s *stage) spec(from, to *unstructured.Unstructured) workload.Spec {
	s.Helper()
	spec := workload.Spec{Run: "run-1", Fence: 1, Target: to, WayBack: from}
	if from == nil {
		return spec
	}
	live := s.live(from)
	containers, _, _ := unstructured.NestedSlice(to.Object, "spec", "template", "spec", "containers")
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"containers": containers}}}})
	if err != nil {
		s.Fatal(err)
	}
	spec.Patch, spec.PatchType = patch, types.StrategicMergePatchType
	spec.LiveVersion, spec.LiveGeneration = live.GetResourceVersion(), live.GetGeneration()
	return spec
}

func all() []pipelines.NodeSet {
	return []pipelines.NodeSet{{Name: "all", Selector: pipelines.Selector{All: true}}}
}

func batch(number int, amount, most pipelines.Amount) workload.Goal {
	return workload.Goal{Sets: all(), Number: number, Amount: amount, MaxUnavailable: most}
}

func driverOf(t *testing.T, object *unstructured.Unstructured) workload.Driver {
	t.Helper()
	driver, err := drivers.For(object.GroupVersionKind().GroupKind())
	if err != nil {
		t.Fatal(err)
	}
	return driver
}

// sizes is how many pods each node set has.
func (s *stage) sizes(d workload.Driver, spec workload.Spec, sets []pipelines.NodeSet) []int {
	s.Helper()
	var pods []int
	for _, size := range must[[]workload.Size](s)(d.Sizes(s.ctx, s.c, spec, sets)) {
		pods = append(pods, size.Pods)
	}
	return pods
}

// must returns a function that fails the test for an error.
func must[T any](s *stage) func(T, error) T {
	return func(value T, err error) T {
		s.Helper()
		if err != nil {
			s.Fatalf("%v; there is %s", err, s.snapshot().Running())
		}
		return value
	}
}

// limits checks what was recorded so far.
func (s *stage) limits(tag string, desired, mostNew, mostDown int) {
	s.Helper()
	// The recorder's watch may be a little behind.
	time.Sleep(300 * time.Millisecond)
	seen := s.recorder.Events()
	if most := seen.MostWithTag(tag); most != mostNew {
		s.Errorf("there were %d pods with %s at once, want %d", most, tag, mostNew)
	}
	if most := seen.MostUnavailable(desired); most > mostDown {
		s.Errorf("%d pods were unavailable at once, at most %d may be", most, mostDown)
	}
}

// once checks that each node got exactly one pod with a tag.
func (s *stage) once(tag string, want int) {
	s.Helper()
	time.Sleep(300 * time.Millisecond)
	made := s.recorder.Events().Made(tag)
	if len(made) != want {
		s.Errorf("%d nodes got a pod with %s, want %d: %v", len(made), tag, want, made)
	}
	for node, n := range made {
		if n != 1 {
			s.Errorf("node %s got %d pods with %s, want 1", node, n, tag)
		}
	}
}

// errEnough ends an Advance from its look.
var errEnough = errors.New("enough")

func whenUpdated(n int64) workload.Look {
	return func(_ context.Context, w rule.Workload, _ rule.Batch) error {
		if w.Updated >= n {
			return errEnough
		}
		return nil
	}
}

// sameStrategy checks that two objects differ in nothing of their spec but the template.
func sameStrategy(t *testing.T, before, after *unstructured.Unstructured) {
	t.Helper()
	a, b := before.DeepCopy(), after.DeepCopy()
	unstructured.RemoveNestedField(a.Object, "spec", "template")
	unstructured.RemoveNestedField(b.Object, "spec", "template")
	if diff := cmp.Diff(a.Object["spec"], b.Object["spec"]); diff != "" {
		t.Errorf("the spec beside the template changed (-before +after):\n%s", diff)
	}
}

// breaking is a shape whose owner lets pods go before their successors are there, so many at once.
func breaking(shape func(string) *unstructured.Unstructured, most int) func(string) *unstructured.Unstructured {
	return func(tag string) *unstructured.Unstructured {
		object := shape(tag)
		if object.GetKind() == "Deployment" {
			object.Object["spec"].(map[string]any)["strategy"] = rolling(0, most)
		}
		return object
	}
}

func rolling(surge, unavailable any) map[string]any {
	number := func(v any) any {
		if n, ok := v.(int); ok {
			return int64(n)
		}
		return v
	}
	return map[string]any{"type": "RollingUpdate", "rollingUpdate": map[string]any{"maxSurge": number(surge), "maxUnavailable": number(unavailable)}}
}

// calm waits until nothing has changed for a moment.
func (s *stage) calm() {
	s.Helper()
	for before := -1; before != len(s.recorder.Events()); time.Sleep(700 * time.Millisecond) {
		before = len(s.recorder.Events())
	}
}

// quiet checks that no pod is made for a while, once those that are on their way out are gone.
func (s *stage) quiet(tag string, want int) {
	s.Helper()
	s.until("no pod is on its way out", func() bool {
		return !slices.ContainsFunc(s.snapshot().Pods, func(p witness.Pod) bool { return p.Deleting })
	})
	time.Sleep(200 * time.Millisecond)
	before := len(s.recorder.Events())
	time.Sleep(1500 * time.Millisecond)
	if after := len(s.recorder.Events()); after != before {
		s.Errorf("pods still change: %d events more", after-before)
	}
	if got := s.snapshot().Tags()[tag]; got != want {
		s.Errorf("%d pods have %s, want %d", got, tag, want)
	}
}
