package prober

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"sluice.dev/sluice/internal/probing"
)

// A node that dies says so to nobody. That it is dead is known half a minute later, when its Lease was not renewed for too long: until
// then a program of it that says nothing looks like one that hangs.

const (
	// renews is within what time a node renews its Lease, where it is well.
	renews = 10 * time.Second
	// silentFor is for how long after the end of a program's time its node may renew the Lease for the first time since.
	silentFor = 45 * time.Second
	// lifeEvery is how often it is looked for.
	lifeEvery = 2 * time.Second
	// nodesSettle is for how long nodes that come and go are one change.
	nodesSettle = 500 * time.Millisecond
)

// lives says why the node of a pod was not there for most of the time that its program had, by the node's own clock; "" where it was. As
// long as that cannot be told it returns when to ask again. A node without a Lease that can be read is believed to.
func (s *site) lives(
	ctx context.Context, r *probing.Run, p *corev1.Pod, timeout time.Duration,
) (dead string, wait time.Duration, err error) {
	node := p.Spec.NodeName
	if node == "" {
		return "", 0, nil
	}
	lease := &coordinationv1.Lease{}
	err = s.api.Get(ctx, types.NamespacedName{Namespace: corev1.NamespaceNodeLease, Name: node}, lease)
	switch {
	case apierrors.IsNotFound(err):
		if err = s.api.Get(ctx, types.NamespacedName{Name: node}, &corev1.Node{}); apierrors.IsNotFound(err) {
			return "there is no node " + node, 0, nil
		}
		return "", 0, err
	case apierrors.IsForbidden(err):
		s.blind.Do(func() {
			s.log.Warn("Leases of nodes cannot be read: a node that has just died makes what runs on it fail", "error", err)
		})
		return "", 0, nil
	case err != nil:
		return "", 0, err
	}
	least := beganAt(p).Add(max(timeout-renews, timeout/2))
	if at := lease.Spec.RenewTime; at == nil || !at.Time.Before(least) {
		return "", 0, nil
	}
	if left := r.Status.Deadline.Add(lingers + silentFor).Sub(s.Clock.Now()); left > 0 {
		return "", min(left, lifeEvery), nil
	}
	return fmt.Sprintf("node %s has not renewed its Lease since", node), 0, nil
}

// wasIll is why a node was not well at some time since another one; "" where it was, as far as its conditions say.
func (s *site) wasIll(ctx context.Context, node string, since time.Time) string {
	n := &corev1.Node{}
	if node == "" || s.api.Get(ctx, types.NamespacedName{Name: node}, n) != nil {
		return ""
	}
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue && c.LastTransitionTime.After(since) {
			return fmt.Sprintf("node %s was not ready until %s", node, c.LastTransitionTime.UTC().Format(time.RFC3339))
		}
	}
	return ""
}

// lost reports whether a pod is on a node that the cluster has no more: there is nobody who could end it.
func (s *site) lost(ctx context.Context, p *corev1.Pod) (bool, error) {
	name := types.NamespacedName{Name: p.Spec.NodeName}
	if name.Name == "" {
		return false, nil
	}
	err := s.seen.Get(ctx, name, &corev1.Node{})
	if apierrors.IsNotFound(err) { // or not seen yet
		err = s.api.Get(ctx, name, &corev1.Node{})
	}
	return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
}

// residentsOf are the cases that have a run on each node: of one that is new, gone, or not what it was.
func (s *site) residentsOf(string) (cases []types.NamespacedName) {
	for _, k := range s.allCases() {
		if k.now().Spec.Mode == probing.Resident {
			cases = append(cases, k.name)
		}
	}
	return cases
}

// onNodes has something looked at, where nodes come, go, or are not what they were.
func onNodes(comes, changes, goes func(node string) []types.NamespacedName) handler.TypedEventHandler[*corev1.Node, reconcile.Request] {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	add := func(q queue, of func(string) []types.NamespacedName, n *corev1.Node) {
		if of == nil {
			return
		}
		for _, name := range of(n.Name) {
			q.AddAfter(reconcile.Request{NamespacedName: name}, nodesSettle)
		}
	}
	return handler.TypedFuncs[*corev1.Node, reconcile.Request]{
		CreateFunc: func(_ context.Context, e event.TypedCreateEvent[*corev1.Node], q queue) { add(q, comes, e.Object) },
		DeleteFunc: func(_ context.Context, e event.TypedDeleteEvent[*corev1.Node], q queue) { add(q, goes, e.Object) },
		UpdateFunc: func(_ context.Context, e event.TypedUpdateEvent[*corev1.Node], q queue) {
			if illness(e.ObjectOld) != illness(e.ObjectNew) {
				add(q, changes, e.ObjectNew)
			}
		},
	}
}

// runsOn are the runs that have a pod on a node, as far as they are seen.
func (s *site) runsOn(node string) (runs []types.NamespacedName) {
	all := &corev1.PodList{}
	if s.seen.List(context.Background(), all, client.UnsafeDisableDeepCopy) != nil {
		return nil // nothing is seen yet, and all of it is looked at when it is
	}
	for i := range all.Items {
		if p := &all.Items[i]; p.Spec.NodeName == node && p.Labels[probing.LabelRun] != "" {
			runs = append(runs, types.NamespacedName{Namespace: p.Namespace, Name: p.Labels[probing.LabelRun]})
		}
	}
	return runs
}
