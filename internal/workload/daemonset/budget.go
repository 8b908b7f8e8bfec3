package daemonset

import (
	"context"
	"strings"

	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/field"
	"sluice.dev/sluice/internal/workload/podtemplate"
)

// checkBudgets refuses a DaemonSet whose pods a PodDisruptionBudget never lets go. A DaemonSet has no scale, so that a
// budget in percent, or one that says maxUnavailable, can never be computed and allows nothing.
func checkBudgets(ctx context.Context, c kube.Reader, spec workload.Spec, pods int) error {
	kind := schema.GroupVersionKind{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"}
	budgets, err := c.List(ctx, kind, spec.Target.GetNamespace(), kube.Filter{})
	if err != nil {
		return err
	}
	template := &unstructured.Unstructured{Object: podtemplate.Of(spec.Target)}
	covering := []string{}
	for _, object := range budgets {
		var budget policyv1.PodDisruptionBudget
		if err := field.Convert(object.Object, &budget); err != nil {
			return fault.Wrap(fault.Invalid, err, "cannot read %s", workload.NameOf(object))
		}
		if !covers(&budget, template.GetLabels()) {
			continue
		}
		covering = append(covering, budget.Name)
		if why := never(&budget, pods); why != "" {
			return fault.New(fault.Refused, "cannot move %s: PodDisruptionBudget %s can never allow a disruption: %s",
				workload.NameOf(spec.Target), budget.Name, why)
		}
	}
	if len(covering) > 1 {
		return fault.New(fault.Refused, "cannot move %s: PodDisruptionBudgets %s cover the same pods, which Kubernetes never evicts",
			workload.NameOf(spec.Target), strings.Join(covering, ", "))
	}
	return nil
}

func covers(budget *policyv1.PodDisruptionBudget, of map[string]string) bool {
	selector, err := metav1.LabelSelectorAsSelector(budget.Spec.Selector)
	return err == nil && selector.Matches(labels.Set(of))
}

// never says why a budget can never allow the disruption of a DaemonSet's pod, or "".
func never(budget *policyv1.PodDisruptionBudget, pods int) string {
	if budget.Spec.MaxUnavailable != nil {
		return "it says maxUnavailable, and a DaemonSet has no scale to count from"
	}
	least := budget.Spec.MinAvailable
	switch {
	case least == nil:
		return ""
	case least.Type == intstr.String:
		return "it says minAvailable in percent, and a DaemonSet has no scale to count from"
	case pods > 0 && int(least.IntVal) >= pods:
		return "its minAvailable " + least.String() + " is as many pods as there are"
	}
	return ""
}
