package workload

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// recall finds the way back of a workload that was there before the run and that nobody had recorded: its controller still
// keeps the template that it had. Nothing else of it goes back. A workload that the run created has no such way, nor has one
// that the run never held.
func (s *session) recall(ctx context.Context, state State) error {
	if s.spec.WayBack != nil {
		return nil
	}
	live, err := s.live(ctx)
	if err != nil || live == nil || live.GetUID() == s.spec.Made {
		return err
	}
	if err := s.revisions.Wait(ctx); err != nil {
		return err
	}
	hold, err := HoldOf(live)
	if err != nil {
		return err
	}
	if hold == nil && state.UID == string(live.GetUID()) {
		hold = &Hold{Run: s.spec.Run, Fence: s.spec.Fence, Created: state.Created, Previous: state.Previous, Owner: ownerFields(live, s.family.holds)}
	}
	if hold == nil || !hold.by(s.spec) || hold.Created {
		return nil
	}
	rev, ok := s.named(live.GetUID(), hold.Previous)
	if !ok {
		return nil
	}
	before := s.spec.Target.DeepCopy()
	before.Object["spec"].(map[string]any)["template"] = deepCopy(rev.template)
	setFields(before, s.family.holds, hold.Owner)
	s.spec.WayBack = before
	return nil
}

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
