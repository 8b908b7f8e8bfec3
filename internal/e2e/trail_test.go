package e2e_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
)

var (
	configMaps  = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	daemonSets  = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "daemonsets"}
	deployments = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	webhooks    = schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"}
)

// change is what a watch told of an object. One store keeps all objects of a cluster and counts its writes: by version, changes
// of different kinds stand in the order in which the API server stored them, whatever the order in which watches told them.
type change struct {
	name    string // Kind/name
	event   watch.EventType
	version uint64
	spec    bool // the object came, went, or its spec or data changed
	object  *unstructured.Unstructured
}

// trail is what several watches on one cluster have told so far.
type trail struct {
	t       testing.TB
	guard   string // the webhook that is watched, where one is
	mu      sync.Mutex
	changes []change
}

// follow watches kinds of the component's namespace, or of no namespace, from now on.
func (s *site) follow(cluster string, kinds ...schema.GroupVersionResource) *trail {
	s.t.Helper()
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: s.stack.Kubeconfig}, &clientcmd.ConfigOverrides{CurrentContext: s.control(cluster)},
	).ClientConfig()
	if err != nil {
		s.t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	s.t.Cleanup(func() { stop(); all.Wait() })
	tr := &trail{t: s.t, guard: s.guard()}
	for _, kind := range kinds {
		var resource dynamic.ResourceInterface = client.Resource(kind).Namespace(s.component)
		var only metav1.ListOptions
		if kind == webhooks {
			resource = client.Resource(kind)
			only.FieldSelector = "metadata.name=" + s.component + "-guard"
		}
		there, err := resource.List(ctx, only)
		if err != nil {
			s.t.Fatal(err)
		}
		w, err := resource.Watch(ctx, metav1.ListOptions{ResourceVersion: there.GetResourceVersion(), FieldSelector: only.FieldSelector})
		if err != nil {
			s.t.Fatal(err)
		}
		generations := map[string]int64{}
		for _, o := range there.Items {
			generations[o.GetName()] = o.GetGeneration()
		}
		all.Go(func() { tr.take(ctx, w, generations) })
	}
	return tr
}

func (tr *trail) take(ctx context.Context, w watch.Interface, generations map[string]int64) {
	defer w.Stop()
	for e := range w.ResultChan() {
		if ctx.Err() != nil {
			return
		}
		o, ok := e.Object.(*unstructured.Unstructured)
		if !ok {
			tr.t.Errorf("a watch broke: %+v", e.Object)
			return
		}
		version, err := strconv.ParseUint(o.GetResourceVersion(), 10, 64)
		if err != nil {
			tr.t.Errorf("%s %s: %v", o.GetKind(), o.GetName(), err)
			return
		}
		// Only kinds that have a status have a generation.
		spec := e.Type != watch.Modified || o.GetGeneration() == 0 || o.GetGeneration() != generations[o.GetName()]
		generations[o.GetName()] = o.GetGeneration()
		tr.mu.Lock()
		tr.changes = append(tr.changes, change{o.GetKind() + "/" + o.GetName(), e.Type, version, spec, o})
		tr.mu.Unlock()
	}
}

// so returns what was told so far in the order in which the API server stored it.
func (tr *trail) so() []change {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return slices.SortedFunc(slices.Values(tr.changes), func(a, b change) int { return int(int64(a.version) - int64(b.version)) })
}

// until waits until a change was told that came after a version, and returns it.
func (tr *trail) until(name string, event watch.EventType, after uint64) change {
	tr.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		for _, c := range tr.so() {
			if c.name == name && c.event == event && c.version > after {
				return c
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	tr.t.Fatalf("%s was never %s after version %d", name, event, after)
	return change{}
}
