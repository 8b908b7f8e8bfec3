package deployment

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/field"
	"sluice.dev/sluice/internal/workload/kit"
)

// Steady reports whether the controller of a Deployment that is in the middle of a step has done what it was told. It scales
// what is paused before that as it thinks fit.
func (Kind) Steady(ctx context.Context, s *kit.Session) (bool, error) {
	live, err := s.Live(ctx)
	if err != nil || live == nil || !locked(live) || isPaused(live) || recreates(strategyOf(live)) {
		return true, err
	}
	if err := s.WaitForRevisions(ctx); err != nil {
		return false, err
	}
	rev, _ := s.Current(live)
	return steady(live, int(rev.Replicas), total(s, live)-int(rev.Replicas)), nil
}

// Pause pauses a Deployment that is locked, and leaves its pods as they are. Each of its ReplicaSets makes its own pods anew, so
// that none changes its version.
func (Kind) Pause(s *kit.Session, desired *unstructured.Unstructured, hold *workload.Hold) (bool, error) {
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
		if !field.Same(was, kept) && field.Same(was, hold.Told) {
			desired.Object["spec"].(map[string]any)["strategy"], hold.Told = kept, kept
		}
	}
	return true, unstructured.SetNestedField(desired.Object, true, "spec", "paused")
}

// total is how many pods a Deployment's ReplicaSets are to have.
func total(s *kit.Session, live *unstructured.Unstructured) int {
	n := 0
	for _, r := range s.Revisions() {
		if r.Owner == live.GetUID() {
			n += int(r.Replicas)
		}
	}
	return n
}
