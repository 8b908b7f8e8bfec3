package prober

import (
	"context"
	"log/slog"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"sluice.dev/sluice/internal/pod"
	"sluice.dev/sluice/internal/probing"
)

// purpose is what the pods of probes are made for.
const purpose = "probe"

// site is one cluster, for as long as its manager runs.
type site struct {
	*Prober
	cluster string
	since   time.Time // from when on nothing was missed
	api     client.Client
	seen    cache.Cache
	log     *slog.Logger
	queue   *queue
	wants   *wants
	wake    chan event.GenericEvent // runs that may begin

	wakeCase chan event.GenericEvent // whose resident has reported for the first time

	blind sync.Once // that Leases of nodes cannot be read is said

	adopting sync.Mutex
	adopted  bool

	mu        sync.Mutex
	cases     map[string]*known // by name
	past      []*probing.Config // cases that have gone, the latest last, for what their programs make until those end
	byUID     map[types.UID]types.NamespacedName
	made      map[types.UID]bool // runs whose pods this process has made
	residents map[types.UID]*resident
	brake     *bucket // of residents' reports
}

// kept has the manager start a cache before the controllers.
type kept struct{ cache.Cache }

// GetCache tells the manager that this is one.
func (k kept) GetCache() cache.Cache { return k.Cache }

// looking is how many runs are looked after at once.
const looking = 8

// add hangs the controllers into the manager of a cluster.
func (p *Prober) add(cluster string, m manager.Manager) error {
	if err := define(m); err != nil {
		return err
	}
	if err := upgrade(m, p.Logger.With("cluster", cluster)); err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{probing.AddToScheme, corev1.AddToScheme, coordinationv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	config := rest.CopyConfig(m.GetConfig())
	if config.QPS == 0 { // else client-go takes 5, of which one round of 20 probes has to wait half a minute
		config.QPS, config.Burst = 50, 100
	}
	seen, err := cache.New(config, cache.Options{
		HTTPClient: m.GetHTTPClient(), Scheme: scheme, DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Pod{}:  {Label: labels.SelectorFromSet(labels.Set{pod.LabelPurpose: purpose}), Transform: stripPod},
			&corev1.Node{}: {Transform: stripNode},
		},
	})
	if err != nil {
		return err
	}
	api, err := client.New(config, client.Options{HTTPClient: m.GetHTTPClient(), Scheme: scheme})
	if err != nil {
		return err
	}
	s := &site{
		Prober: p, cluster: cluster, since: p.Clock.Now(), api: api, seen: seen, log: p.Logger.With("cluster", cluster),
		queue: newQueue(p.AtOnce), wants: newWants(), wake: make(chan event.GenericEvent, 1000), wakeCase: make(chan event.GenericEvent, 1000),
		cases: map[string]*known{}, byUID: map[types.UID]types.NamespacedName{}, made: map[types.UID]bool{},
		residents: map[types.UID]*resident{}, brake: newBucket(clusterRate, clusterBurst),
	}
	if err := s.hang(m); err != nil {
		return err
	}
	p.mu.Lock()
	p.sites[cluster] = s
	p.mu.Unlock()
	return nil
}

// hang hangs what a site does into the manager.
func (s *site) hang(m manager.Manager) error {
	runs, err := controller.New("probe-runs", m, controller.Options{
		Reconciler: reconcile.Func(s.reconcileRun), MaxConcurrentReconciles: looking,
	})
	if err != nil {
		return err
	}
	configs, err := controller.New("probe-configs", m, controller.Options{
		Reconciler: reconcile.Func(s.reconcileConfig), MaxConcurrentReconciles: looking,
	})
	if err != nil {
		return err
	}
	ofPod := handler.TypedEnqueueRequestsFromMapFunc(func(_ context.Context, p *corev1.Pod) []reconcile.Request {
		return requestFor(p.Namespace, p.Labels[probing.LabelRun])
	})
	toCase := handler.TypedEnqueueRequestsFromMapFunc(func(_ context.Context, r *probing.Run) []reconcile.Request {
		if r.Spec.Cause.Kind != probing.ByMode {
			return nil
		}
		return requestFor(r.Namespace, r.Spec.Case)
	})
	for _, w := range []struct {
		on   controller.Controller
		from source.Source
	}{
		{runs, source.Kind(s.seen, &probing.Run{}, &handler.TypedEnqueueRequestForObject[*probing.Run]{})},
		{runs, source.Kind(s.seen, &corev1.Pod{}, ofPod)},
		{runs, source.Channel(s.wake, &handler.EnqueueRequestForObject{})},
		{configs, source.Channel(s.wakeCase, &handler.EnqueueRequestForObject{})},
		{configs, source.Kind(s.seen, &probing.Config{}, &handler.TypedEnqueueRequestForObject[*probing.Config]{})},
		{configs, source.Kind(s.seen, &probing.Run{}, toCase)},
		{configs, source.Kind(s.seen, &corev1.Node{}, onNodes(s.residentsOf, s.residentsOf, s.residentsOf))},
		{runs, source.Kind(s.seen, &corev1.Node{}, onNodes(nil, nil, s.runsOn))},
	} {
		if err := w.on.Watch(w.from); err != nil {
			return err
		}
	}
	for _, r := range []manager.Runnable{
		kept{s.seen}, manager.RunnableFunc(s.makeWanted), manager.RunnableFunc(s.keepSaying), manager.RunnableFunc(s.keepSignalling),
	} {
		if err := m.Add(r); err != nil {
			return err
		}
	}
	return nil
}

func requestFor(namespace, name string) []reconcile.Request {
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}}}
}

// stripPod leaves of a pod what is looked at.
func stripPod(o any) (any, error) {
	if p, ok := o.(*corev1.Pod); ok {
		p.ManagedFields = nil
		p.Spec = corev1.PodSpec{NodeName: p.Spec.NodeName, HostNetwork: p.Spec.HostNetwork}
	}
	return o, nil
}

// stripNode leaves of a node whether it is ready.
func stripNode(o any) (any, error) {
	if n, ok := o.(*corev1.Node); ok {
		n.ManagedFields, n.Annotations, n.Spec = nil, nil, corev1.NodeSpec{}
		n.Status = corev1.NodeStatus{Conditions: n.Status.Conditions}
	}
	return o, nil
}
