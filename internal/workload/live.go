package workload

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/workload/field"
	"sluice.dev/sluice/internal/workload/podtemplate"
)

// Disarmed is what a run wrote of a workload, with the template of before that Disarm has put in the place of its own. It is
// nil where live has any other template: that was not Sluice.
func Disarmed(live, written *unstructured.Unstructured) *unstructured.Unstructured {
	if live == nil || written == nil {
		return nil
	}
	hold, err := HoldOf(live)
	if err != nil || hold == nil || hold.Armed || hold.Before == "" || hold.Before != podtemplate.Digest(podtemplate.Of(live)) {
		return nil
	}
	left := written.DeepCopy()
	if unstructured.SetNestedField(left.Object, field.Copy(podtemplate.Of(live)), "spec", "template") != nil {
		return nil
	}
	return left
}

// Carries reports whether a live workload has everything that a rendered one says of its pods.
func Carries(live, rendered *unstructured.Unstructured) bool {
	return podtemplate.Carries(podtemplate.Of(live), podtemplate.Of(rendered))
}

// Stays reports whether a workload keeps its pods when it becomes what it is to be after: nobody holds it, the pod template is
// the same, and its controller says that every pod has it.
func Stays(live, after *unstructured.Unstructured) bool {
	if live == nil || after == nil || live.GetAnnotations()[HeldAnnotation] != "" || field.Observed(live) < live.GetGeneration() {
		return false
	}
	for updated, of := range map[string]string{"updatedReplicas": "replicas", "updatedNumberScheduled": "desiredNumberScheduled"} {
		if field.Number(live, 0, "status", updated) != field.Number(live, 0, "status", of) {
			return false
		}
	}
	return podtemplate.Digest(podtemplate.Of(live)) == podtemplate.Digest(podtemplate.Of(after))
}
