package daemonset

import (
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"sluice.dev/sluice/internal/workload/kit"
	"sluice.dev/sluice/internal/workload/podtemplate"
)

// placement decides, as the DaemonSet controller does, which nodes get a pod of a template.
type placement struct {
	spec        corev1.PodSpec
	tolerations []corev1.Toleration
}

func newPlacement(template map[string]any) (placement, error) {
	typed, err := podtemplate.Typed(template)
	if err != nil {
		return placement{}, err
	}
	p := placement{spec: typed.Spec, tolerations: slices.Clone(typed.Spec.Tolerations)}
	for _, key := range []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable} {
		p.tolerate(key, corev1.TaintEffectNoExecute)
	}
	tolerated := []string{
		corev1.TaintNodeDiskPressure, corev1.TaintNodeMemoryPressure, corev1.TaintNodePIDPressure, corev1.TaintNodeUnschedulable,
	}
	if typed.Spec.HostNetwork {
		tolerated = append(tolerated, corev1.TaintNodeNetworkUnavailable)
	}
	for _, key := range tolerated {
		p.tolerate(key, corev1.TaintEffectNoSchedule)
	}
	return p, nil
}

func (p *placement) tolerate(key string, effect corev1.TaintEffect) {
	p.tolerations = append(p.tolerations, corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists, Effect: effect})
}

func (p placement) fits(n kit.Node) bool {
	if p.spec.NodeName != "" && p.spec.NodeName != n.Name {
		return false
	}
	for key, want := range p.spec.NodeSelector {
		if got, ok := n.Labels[key]; !ok || got != want {
			return false
		}
	}
	return p.affine(n) && p.tolerated(n)
}

func (p placement) affine(n kit.Node) bool {
	affinity := p.spec.Affinity
	if affinity == nil || affinity.NodeAffinity == nil || affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return true
	}
	terms := affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	return slices.ContainsFunc(terms, func(term corev1.NodeSelectorTerm) bool {
		if len(term.MatchExpressions)+len(term.MatchFields) == 0 {
			return false
		}
		for _, r := range term.MatchExpressions {
			value, ok := n.Labels[r.Key]
			if !meets(r, value, ok) {
				return false
			}
		}
		for _, r := range term.MatchFields {
			if !meets(r, n.Name, r.Key == "metadata.name") {
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

func (p placement) tolerated(n kit.Node) bool {
	for _, taint := range n.Taints {
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
