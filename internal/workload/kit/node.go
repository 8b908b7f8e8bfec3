package kit

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// Node is what the drivers keep of a node.
type Node struct {
	Name   string
	Labels map[string]string
	Taints []corev1.Taint
	Dead   string    // why no kubelet looks after its pods; "" where one does
	Since  time.Time // since when, as far as the node says
}

func decodeNode(object *unstructured.Unstructured, _ *Node) Node {
	n := Node{Name: object.GetName(), Labels: object.GetLabels()}
	conditions, _, _ := unstructured.NestedFieldNoCopy(object.Object, "status", "conditions")
	var typed corev1.Node
	read := map[string]any{"spec": object.Object["spec"], "status": map[string]any{"conditions": conditions}}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(read, &typed); err == nil {
		n.Taints = typed.Spec.Taints
		n.Dead, n.Since = deadAs(typed)
	}
	return n
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
