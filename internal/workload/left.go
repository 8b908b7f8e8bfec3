package workload

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Disarmed is what a run wrote of a workload, with the template of before that Disarm has put in the place of its own. It is
// nil where live has any other template: that was not Sluice.
func Disarmed(live, written *unstructured.Unstructured) *unstructured.Unstructured {
	if live == nil || written == nil {
		return nil
	}
	hold, err := HoldOf(live)
	if err != nil || hold == nil || hold.Armed || hold.Before == "" || hold.Before != templateDigest(templateOf(live)) {
		return nil
	}
	left := written.DeepCopy()
	if unstructured.SetNestedField(left.Object, deepCopy(templateOf(live)), "spec", "template") != nil {
		return nil
	}
	return left
}

// Carries reports whether a live workload has everything that a rendered one says of its pods.
func Carries(live, rendered *unstructured.Unstructured) bool {
	return carries(templateOf(live), templateOf(rendered))
}

// Stays reports whether a workload keeps its pods when it becomes what it is to be after: nobody holds it, the pod template is
// the same, and its controller says that every pod has it.
func Stays(live, after *unstructured.Unstructured) bool {
	if live == nil || after == nil || live.GetAnnotations()[HeldAnnotation] != "" || observedGeneration(live) < live.GetGeneration() {
		return false
	}
	for updated, of := range map[string]string{"updatedReplicas": "replicas", "updatedNumberScheduled": "desiredNumberScheduled"} {
		if number(live, 0, "status", updated) != number(live, 0, "status", of) {
			return false
		}
	}
	return templateDigest(templateOf(live)) == templateDigest(templateOf(after))
}
