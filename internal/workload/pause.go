package workload

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// calm waits for a short time until the controller of a Deployment that is in the middle of a step has done what it was told.
// It scales what is paused before that as it thinks fit.
func (d deployment) calm(ctx context.Context, s *session) error {
	end := time.Now().Add(3 * time.Second)
	for {
		t := s.turn()
		live, err := s.live(ctx)
		if err != nil || live == nil || !locked(live) || isPaused(live) || recreates(strategyOf(live)) {
			return err
		}
		if err := s.revisions.Wait(ctx); err != nil {
			return err
		}
		rev, _ := s.current(live)
		left := time.Until(end)
		if steady(live, int(rev.replicas), s.total(live)-int(rev.replicas)) || left <= 0 {
			return nil
		}
		if err := t.sleep(ctx, left); err != nil {
			return err
		}
	}
}

// pause pauses a Deployment and leaves its pods as they are.
func (deployment) pause(s *session, desired *unstructured.Unstructured, hold *Hold) error {
	if !isPaused(desired) && !recreates(strategyOf(desired)) {
		governs, err := s.governs(hold.Owner, hold.Back)
		if err != nil {
			return err
		}
		was := strategyOf(desired)
		kept := keptStrategy(desired, governs, s.total(desired))
		if !sameJSON(was, kept) && sameJSON(was, hold.Told) {
			desired.Object["spec"].(map[string]any)["strategy"], hold.Told = kept, kept
		}
	}
	return unstructured.SetNestedField(desired.Object, true, "spec", "paused")
}

// total is how many pods a Deployment's ReplicaSets are to have.
func (s *session) total(live *unstructured.Unstructured) int {
	n := 0
	for _, r := range s.revisions.All() {
		if r.owner == live.GetUID() {
			n += int(r.replicas)
		}
	}
	return n
}
