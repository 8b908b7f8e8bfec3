package kit

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"sluice.dev/sluice/internal/kube"
)

// Node is what the drivers keep of a node.
type Node struct {
	Name   string
	Labels map[string]string
	Taints []corev1.Taint
	Dead   string    // why no kubelet looks after its pods; "" where one does
	Since  time.Time // since when, as far as the node says
	// Created is when it was added, Ready since when it is Ready, and Cordoned since when nothing is scheduled there: zero where that is
	// not so, or the node does not say.
	Created, Ready, Cordoned time.Time
	Unschedulable            bool
}

// Nodes returns the nodes of a cluster. It makes no request while a workload that is bound to nodes is moved there.
func Nodes(ctx context.Context, c kube.Reader) ([]Node, error) {
	view := watchNodes(c)
	defer view.Close()
	if err := view.Wait(ctx); err != nil {
		return nil, err
	}
	return view.All(), nil
}

func watchNodes(c kube.Reader) *kube.View[Node] {
	return kube.Watch(c, kube.Selection{Resource: corev1.SchemeGroupVersion.WithResource("nodes")}, decodeNode)
}

func decodeNode(object *unstructured.Unstructured, _ *Node) Node {
	n := Node{Name: object.GetName(), Labels: object.GetLabels(), Created: object.GetCreationTimestamp().Time}
	conditions, _, _ := unstructured.NestedFieldNoCopy(object.Object, "status", "conditions")
	var typed corev1.Node
	read := map[string]any{"spec": object.Object["spec"], "status": map[string]any{"conditions": conditions}}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(read, &typed); err == nil {
		n.Taints = typed.Spec.Taints
		n.Dead, n.Since = deadAs(typed)
		n.Ready, n.Cordoned, n.Unschedulable = readySince(typed), cordoned(typed), typed.Spec.Unschedulable
	}
	return n
}

func readySince(n corev1.Node) time.Time {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime.Time
		}
	}
	return time.Time{}
}

// cordoned is since when a node is cordoned, as the node controller's taint says.
func cordoned(n corev1.Node) time.Time {
	for _, taint := range n.Spec.Taints {
		if taint.Key == corev1.TaintNodeUnschedulable && taint.TimeAdded != nil {
			return taint.TimeAdded.Time
		}
	}
	return time.Time{}
}

// deadAs says why a node counts as dead, and since when: its condition Ready is not True, or it is tainted as not ready or as
// unreachable. One that is cordoned, or short of memory, disk or process IDs, is alive: its kubelet replaces pods.
func deadAs(n corev1.Node) (string, time.Time) {
	for _, c := range n.Status.Conditions {
		if c.Type != corev1.NodeReady || c.Status == corev1.ConditionTrue {
			continue
		}
		said := fmt.Sprintf("Ready is %s", c.Status)
		if c.Reason != "" {
			said += " (" + c.Reason + ")"
		}
		return said, c.LastTransitionTime.Time
	}
	for _, taint := range n.Spec.Taints {
		if taint.Key != corev1.TaintNodeNotReady && taint.Key != corev1.TaintNodeUnreachable {
			continue
		}
		since := time.Time{}
		if taint.TimeAdded != nil {
			since = taint.TimeAdded.Time
		}
		return "tainted " + taint.Key, since
	}
	return "", time.Time{}
}
