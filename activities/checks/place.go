package checks

import (
	"cmp"
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/internal/change"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/drivers"
	"sluice.dev/sluice/pipelines/rule"
)

// place is the cluster that a request is about. Leave ends the watches on its pods.
func (a *Activities) place(ctx context.Context, req step.ChecksRequest) (*check.Place, func(), error) {
	c, err := a.Clusters.Cluster(ctx, req.Context)
	if err != nil {
		return nil, nil, err
	}
	s := &scene{cluster: c, facts: req.Facts}
	for _, w := range req.Workloads {
		l, err := a.load(ctx, w)
		if err != nil {
			s.leave()
			return nil, nil, err
		}
		if err := s.add(l); err != nil {
			s.leave()
			return nil, nil, err
		}
	}
	targets, unknown := a.others(ctx, req)
	others := func(ctx context.Context) ([]check.Other, error) {
		if unknown != nil {
			return nil, unknown
		}
		return live(ctx, c, targets)
	}
	untouched := func(ctx context.Context, cluster string) (bool, error) {
		writes, err := a.Ledger.ListWrites(ctx, req.Run, cluster)
		return len(writes) == 0, err
	}
	return &check.Place{
		Cluster: req.Cluster, API: c, Facts: s.look, Objects: s.objects, Others: others, Pods: s.pods, Untouched: untouched,
	}, s.leave, nil
}

// loaded is one workload with its driver.
type loaded struct {
	req    step.AdvanceRequest
	driver workload.Driver
	load   change.Workload
}

func (a *Activities) load(ctx context.Context, req step.AdvanceRequest) (loaded, error) {
	part := change.Part{Run: req.Run, Subject: req.Subject, Cluster: req.Cluster, Fence: req.Fence, Back: req.Back, BackOf: req.BackOf}
	load, err := change.LoadWorkload(ctx, a.Ledger, part, req.Changes, req.Object)
	if err != nil {
		return loaded{}, err
	}
	driver, err := drivers.For(load.Target().GroupVersionKind().GroupKind())
	return loaded{req: req, driver: driver, load: load}, err
}

// scene is the workloads of a unit as they are now.
type scene struct {
	cluster *kube.Cluster
	facts   rule.Facts // what the plan knows
	all     []watched
}

type watched struct {
	loaded
	view *kube.View[*corev1.Pod]
}

// add watches the pods of one more workload.
func (s *scene) add(l loaded) error {
	target := l.load.Target()
	text, err := selector(target)
	if err != nil {
		return err
	}
	view := kube.Watch(s.cluster, kube.Selection{
		Resource:  schema.GroupVersionResource{Version: "v1", Resource: "pods"},
		Namespace: target.GetNamespace(), Filter: kube.Filter{Labels: text},
	}, decodePod)
	s.all = append(s.all, watched{l, view})
	return nil
}

func (s *scene) leave() {
	for _, w := range s.all {
		w.view.Close()
	}
}

// look adds up what is to be seen of the workloads.
func (s *scene) look(ctx context.Context) (rule.Facts, error) {
	facts := s.facts
	for i, w := range s.all {
		seen, err := w.driver.Facts(ctx, s.cluster, w.load.Spec, w.req.State, w.req.Goal)
		if err != nil {
			return facts, err
		}
		if i == 0 {
			facts.Workload = seen.Workload
		} else {
			facts.Workload = facts.Workload.Plus(seen.Workload)
		}
		if len(s.all) == 1 {
			facts.Batch = seen.Batch
			facts.Batch.Size = cmp.Or(int64(w.req.Size), s.facts.Batch.Size)
		}
	}
	return facts, nil
}

// objects are the workloads as they are now.
func (s *scene) objects(ctx context.Context) ([]*unstructured.Unstructured, error) {
	all := make([]*unstructured.Unstructured, 0, len(s.all))
	for _, w := range s.all {
		target := w.load.Target()
		o, err := s.cluster.Get(ctx, target.GroupVersionKind(), target.GetNamespace(), target.GetName())
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}

// pods are the pods of the workloads. Those of the new revision carry the hash that the workload's own facts name.
func (s *scene) pods(ctx context.Context) (check.Pods, error) {
	var pods check.Pods
	for _, w := range s.all {
		seen, err := w.driver.Facts(ctx, s.cluster, w.load.Spec, w.req.State, w.req.Goal)
		if err != nil {
			return pods, err
		}
		if err := w.view.Wait(ctx); err != nil {
			return pods, err
		}
		for _, p := range w.view.All() {
			if hash := revisionOf(p); hash != "" && hash == seen.Workload.Revision {
				pods.New = append(pods.New, p)
			} else {
				pods.Old = append(pods.Old, p)
			}
		}
	}
	slices.SortFunc(pods.New, byName)
	slices.SortFunc(pods.Old, byName)
	return pods, nil
}

func byName(a, b *corev1.Pod) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

func revisionOf(p *corev1.Pod) string {
	return cmp.Or(p.Labels["controller-revision-hash"], p.Labels["pod-template-hash"])
}

func decodePod(object *unstructured.Unstructured, _ **corev1.Pod) *corev1.Pod {
	var pod corev1.Pod
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &pod); err != nil {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: object.GetNamespace(), Name: object.GetName(), UID: object.GetUID()}}
	}
	pod.ManagedFields = nil
	return &pod
}

// selector is the label selector of a workload, as a list of pods takes it.
func selector(target *unstructured.Unstructured) (string, error) {
	content, _, _ := unstructured.NestedMap(target.Object, "spec", "selector")
	var typed metav1.LabelSelector
	err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, &typed)
	if err != nil || len(content) == 0 {
		return "", fault.New(fault.Invalid, "cannot read the selector of %s %s", target.GetKind(), target.GetName())
	}
	parsed, err := metav1.LabelSelectorAsSelector(&typed)
	if err != nil {
		return "", fault.Wrap(fault.Invalid, err, "cannot read the selector of %s %s", target.GetKind(), target.GetName())
	}
	return parsed.String(), nil
}
