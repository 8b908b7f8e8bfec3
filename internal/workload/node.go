package workload

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// node is what the drivers keep of a node.
type node struct {
	name   string
	labels map[string]string
	taints []corev1.Taint
	dead   string    // why no kubelet looks after its pods; "" where one does
	since  time.Time // since when, as far as the node says
}

func decodeNode(object *unstructured.Unstructured, _ *node) node {
	n := node{name: object.GetName(), labels: object.GetLabels()}
	conditions, _, _ := unstructured.NestedFieldNoCopy(object.Object, "status", "conditions")
	var typed corev1.Node
	read := map[string]any{"spec": object.Object["spec"], "status": map[string]any{"conditions": conditions}}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(read, &typed); err == nil {
		n.taints = typed.Spec.Taints
		n.dead, n.since = deadAs(typed)
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

// placement decides, as the DaemonSet controller does, which nodes get a pod of a template.
type placement struct {
	spec        corev1.PodSpec
	tolerations []corev1.Toleration
}

func newPlacement(template map[string]any) (placement, error) {
	typed, err := typedTemplate(template)
	if err != nil {
		return placement{}, err
	}
	p := placement{spec: typed.Spec, tolerations: slices.Clone(typed.Spec.Tolerations)}
	for _, key := range []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable} {
		p.tolerations = append(p.tolerations, corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute})
	}
	tolerated := []string{corev1.TaintNodeDiskPressure, corev1.TaintNodeMemoryPressure, corev1.TaintNodePIDPressure, corev1.TaintNodeUnschedulable}
	if typed.Spec.HostNetwork {
		tolerated = append(tolerated, corev1.TaintNodeNetworkUnavailable)
	}
	for _, key := range tolerated {
		p.tolerations = append(p.tolerations, corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule})
	}
	return p, nil
}

func (p placement) fits(n node) bool {
	if p.spec.NodeName != "" && p.spec.NodeName != n.name {
		return false
	}
	for key, want := range p.spec.NodeSelector {
		if got, ok := n.labels[key]; !ok || got != want {
			return false
		}
	}
	return p.affine(n) && p.tolerated(n)
}

func (p placement) affine(n node) bool {
	if p.spec.Affinity == nil || p.spec.Affinity.NodeAffinity == nil || p.spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return true
	}
	terms := p.spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	return slices.ContainsFunc(terms, func(term corev1.NodeSelectorTerm) bool {
		if len(term.MatchExpressions)+len(term.MatchFields) == 0 {
			return false
		}
		for _, r := range term.MatchExpressions {
			value, ok := n.labels[r.Key]
			if !meets(r, value, ok) {
				return false
			}
		}
		for _, r := range term.MatchFields {
			if !meets(r, n.name, r.Key == "metadata.name") {
				return false
			}
		}
		return true
	})
}

func meets(r corev1.NodeSelectorRequirement, value string, ok bool) bool {
	switch r.Operator {
	case corev1.NodeSelectorOpIn:
		return ok && slices.Contains(r.Values, value)
	case corev1.NodeSelectorOpNotIn:
		return !ok || !slices.Contains(r.Values, value)
	case corev1.NodeSelectorOpExists:
		return ok
	case corev1.NodeSelectorOpDoesNotExist:
		return !ok
	}
	if !ok || len(r.Values) != 1 {
		return false
	}
	have, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return false
	}
	want, err := strconv.ParseInt(r.Values[0], 10, 64)
	if err != nil {
		return false
	}
	return r.Operator == corev1.NodeSelectorOpGt && have > want || r.Operator == corev1.NodeSelectorOpLt && have < want
}

func (p placement) tolerated(n node) bool {
	for _, taint := range n.taints {
		if taint.Effect != corev1.TaintEffectNoSchedule && taint.Effect != corev1.TaintEffectNoExecute {
			continue
		}
		if !slices.ContainsFunc(p.tolerations, func(t corev1.Toleration) bool { return tolerates(t, taint) }) {
			return false
		}
	}
	return true
}

func tolerates(t corev1.Toleration, taint corev1.Taint) bool {
	if t.Effect != "" && t.Effect != taint.Effect || t.Key != "" && t.Key != taint.Key {
		return false
	}
	return t.Operator == corev1.TolerationOpExists || (t.Operator == "" || t.Operator == corev1.TolerationOpEqual) && t.Value == taint.Value
}
