// Package podrun runs a pod to its end in a cluster. Whoever asks again for the same pod, after a crash or at the same time, waits
// for the one that is there. It makes no pods (internal/pod does), and says nothing about what an end means.
//
// Its writes stand under no Lease: a pod has the name of its key, so that two who ask for it make one, it touches nothing that a
// run moves, and it ends at its deadline whatever becomes of the run.
package podrun

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/pod"
)

// outage is for how long an API server may be gone while a pod runs: the pod goes on meanwhile.
const outage = 10 * time.Minute

// Runner runs pods. It is safe for concurrent use.
type Runner struct {
	Clock clock.WithDelayedExecution
}

// Run makes a pod where it is not there yet, and waits until it has ended; until it has begun for at most so long. A pod that does
// not begin, or never will, is taken away. One that has ended stays for a while, so that it can be looked at, and so that whoever
// asks again hears the same; those of the same purpose and namespace whose time is over are taken away first.
//
// A context that ends leaves the pod alone, and is its error. Else errors are those of kube.Cluster; fault.Conflict is a pod of
// this name that was made for something else.
func (r *Runner) Run(ctx context.Context, c *kube.Cluster, want *corev1.Pod, begin time.Duration) (pod.End, error) {
	view := watch(c, want)
	defer view.Close()
	if err := view.Wait(ctx); err != nil {
		return pod.End{}, err
	}
	r.sweep(ctx, c, view)
	made, err := r.make(ctx, c, view, want)
	if err != nil {
		return pod.End{}, err
	}
	last, end, err := r.wait(ctx, view, made, begin)
	if err != nil {
		return end, err
	}
	if !pod.Started(last) { // there is nothing to look at, and it must not begin when nobody waits any more
		return end, Remove(ctx, c, last)
	}
	r.removeLater(c, last)
	return end, nil
}

// Remove takes a pod away. One that is gone, or whose name another one has by now, is none.
func Remove(ctx context.Context, c *kube.Cluster, p *corev1.Pod) error {
	err := c.Delete(ctx, podKind(), p.Namespace, p.Name, p.UID)
	if code := fault.CodeOf(err); code == fault.NotFound || code == fault.Conflict {
		return nil
	}
	return err
}

// RemoveOf takes away the pods of a purpose that a run has made in a namespace, and that have not ended. It is for whoever knows that
// nobody waits for them any more: who made them may be gone. Those that have ended stay for their time.
func RemoveOf(ctx context.Context, c *kube.Cluster, namespace, purpose, run string) error {
	label := pod.LabelPurpose + "=" + purpose + "," + pod.LabelRun + "=" + pod.LabelValue(run)
	all, err := c.List(ctx, podKind(), namespace, kube.Filter{Labels: label})
	if err != nil {
		return err
	}
	var failed []error
	for _, object := range all {
		p := decode(object, nil)
		if _, ended := pod.EndOf(p); !ended && p.DeletionTimestamp == nil {
			failed = append(failed, Remove(ctx, c, p))
		}
	}
	return errors.Join(failed...)
}

// make makes the pod, or finds it.
func (r *Runner) make(ctx context.Context, c *kube.Cluster, view *kube.View[*corev1.Pod], want *corev1.Pod) (*corev1.Pod, error) {
	purpose, key := want.Labels[pod.LabelPurpose], pod.KeyOf(want)
	there, ok := view.Get(want.Namespace, want.Name)
	if !ok {
		object, err := create(ctx, c, want)
		if fault.CodeOf(err) == fault.Conflict {
			object, err = c.Get(ctx, podKind(), want.Namespace, want.Name)
		}
		if err != nil {
			return nil, err
		}
		there = decode(object, nil)
		if pod.Of(there, purpose, key) { // or the watch would never show it
			err = view.WaitFor(ctx, types.NamespacedName{Namespace: there.Namespace, Name: there.Name}, there.ResourceVersion)
		}
		if err != nil {
			return nil, err
		}
	}
	if !pod.Of(there, purpose, key) {
		return nil, fault.New(fault.Conflict, "cannot run pod %s/%s in cluster %s: one of this name is there, and was made for something else",
			want.Namespace, want.Name, c.Context())
	}
	return there, nil
}

// create creates a pod, and Sluice's own namespace where that is not there yet.
func create(ctx context.Context, c *kube.Cluster, want *corev1.Pod) (*unstructured.Unstructured, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(want)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "cannot write pod %s/%s", want.Namespace, want.Name)
	}
	delete(content, "status")
	object := &unstructured.Unstructured{Object: content}
	stored, err := c.Create(ctx, object)
	if fault.CodeOf(err) != fault.NotFound || want.Namespace != kube.LeaseNamespace {
		return stored, err
	}
	namespace := &unstructured.Unstructured{}
	namespace.SetAPIVersion("v1")
	namespace.SetKind("Namespace")
	namespace.SetName(kube.LeaseNamespace)
	if _, err := c.Create(ctx, namespace); err != nil && fault.CodeOf(err) != fault.Conflict {
		return nil, err
	}
	return c.Create(ctx, object)
}

// wait waits for the end of a pod. It returns the pod as it was seen last.
func (r *Runner) wait(ctx context.Context, view *kube.View[*corev1.Pod], p *corev1.Pod, begin time.Duration) (*corev1.Pod, pod.End, error) {
	late := r.Clock.NewTimer(begin)
	defer late.Stop()
	expired := false
	for {
		changed := view.Changed()
		since, gone := view.Err()
		left := outage
		if gone == nil {
			now, there := view.Get(p.Namespace, p.Name)
			if !there || now.UID != p.UID {
				return p, pod.End{Reason: pod.Deleted, Node: p.Spec.NodeName}, nil
			}
			p = now
			if end, ended := pod.EndOf(p); ended {
				return p, end, nil
			}
			if expired && !pod.Started(p) {
				return p, pod.End{Reason: pod.NotStarted, Said: pod.Waits(p), Node: p.Spec.NodeName}, nil
			}
		} else if left -= r.Clock.Since(since); left <= 0 {
			return p, pod.End{}, fault.Wrap(fault.Unreachable, gone, "cannot watch pod %s/%s for %s", p.Namespace, p.Name, outage)
		}
		again := r.Clock.NewTimer(left)
		select {
		case <-ctx.Done():
			again.Stop()
			return p, pod.End{}, ctx.Err()
		case <-late.C():
			expired = true
		case <-changed:
		case <-again.C():
		}
		again.Stop()
	}
}

// removeLater takes a pod away once its time is over. A process that is killed before leaves that to the next sweep.
func (r *Runner) removeLater(c *kube.Cluster, p *corev1.Pod) {
	expires, _ := pod.Expires(p)
	r.Clock.AfterFunc(max(0, expires.Sub(r.Clock.Now())), func() {
		go func() { _ = Remove(context.Background(), c, p) }() // where that fails, the next sweep tries again
	})
}

// sweep takes away the pods of a view whose time is over. What cannot be taken away stays for the next sweep.
func (r *Runner) sweep(ctx context.Context, c *kube.Cluster, view *kube.View[*corev1.Pod]) {
	left := sweepMost
	for _, p := range view.All() {
		expires, ended := pod.Expires(p)
		if left == 0 || !ended || r.Clock.Now().Before(expires) || c.Deleted(p.UID) || p.DeletionTimestamp != nil {
			continue
		}
		left--
		if err := Remove(ctx, c, p); err != nil {
			return
		}
	}
}

// sweepMost is how many pods one sweep takes away: whoever wants to run one does not wait for the litter of a day.
const sweepMost = 20

// watch shows the pods of the purpose and namespace of a pod: all who wait for one share one watch.
func watch(c *kube.Cluster, like *corev1.Pod) *kube.View[*corev1.Pod] {
	return kube.Watch(c, kube.Selection{
		Resource:  schema.GroupVersionResource{Version: "v1", Resource: "pods"},
		Namespace: like.Namespace,
		Filter:    kube.Filter{Labels: pod.LabelPurpose + "=" + like.Labels[pod.LabelPurpose]},
	}, decode)
}

// decode reads what is needed of a pod. One that cannot be read has its name only, and so has not begun.
func decode(object *unstructured.Unstructured, _ **corev1.Pod) *corev1.Pod {
	p := &corev1.Pod{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, p); err != nil {
		p = &corev1.Pod{}
		p.Namespace, p.Name, p.UID = object.GetNamespace(), object.GetName(), object.GetUID()
	}
	p.ManagedFields, p.Spec = nil, corev1.PodSpec{NodeName: p.Spec.NodeName}
	return p
}

func podKind() schema.GroupVersionKind { return schema.GroupVersionKind{Version: "v1", Kind: "Pod"} }
