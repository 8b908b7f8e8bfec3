package workload

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Steady reports whether the controller of a Deployment that is in the middle of a step has done what it was told. It scales
// what is paused before that as it thinks fit.
func (deployment) Steady(ctx context.Context, s *session) (bool, error) {
	live, err := s.live(ctx)
	if err != nil || live == nil || !locked(live) || isPaused(live) || recreates(strategyOf(live)) {
		return true, err
	}
	if err := s.waitForRevisions(ctx); err != nil {
		return false, err
	}
	rev, _ := s.current(live)
	return steady(live, int(rev.replicas), total(s, live)-int(rev.replicas)), nil
}

// Pause pauses a Deployment that is locked, and leaves its pods as they are. Each of its ReplicaSets makes its own pods anew, so
// that none changes its version.
func (deployment) Pause(s *session, desired *unstructured.Unstructured, hold *Hold) (bool, error) {
	if !locked(desired) {
		return false, nil
	}
	if !isPaused(desired) && !recreates(strategyOf(desired)) {
		governs, err := governing(s, hold.Owner, hold.Back)
		if err != nil {
			return false, err
		}
		was := strategyOf(desired)
		kept := keptStrategy(desired, governs, total(s, desired))
		if !sameJSON(was, kept) && sameJSON(was, hold.Told) {
			desired.Object["spec"].(map[string]any)["strategy"], hold.Told = kept, kept
		}
	}
	return true, unstructured.SetNestedField(desired.Object, true, "spec", "paused")
}

// total is how many pods a Deployment's ReplicaSets are to have.
func total(s *session, live *unstructured.Unstructured) int {
	n := 0
	for _, r := range s.kept() {
		if r.owner == live.GetUID() {
			n += int(r.replicas)
		}
	}
	return n
}
