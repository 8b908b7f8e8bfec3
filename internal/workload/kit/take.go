package kit

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/field"
	"sluice.dev/sluice/internal/workload/podtemplate"
)

// create creates the workload whole, held.
func (s *Session) create(ctx context.Context, g Grip) error {
	target := s.Spec.Target
	if s.Spec.LiveVersion != "" || s.Spec.LiveGeneration != 0 {
		return s.Cannot("prepare", fault.Conflict, "it was deleted since its patch was computed")
	}
	desired := target.DeepCopy()
	hold := &workload.Hold{Run: s.Spec.Run, Fence: s.Spec.Fence, Armed: true, Created: true, Owner: field.Pick(target, s.Family.Holds)}
	if err := g.Grab(s, desired, hold); err != nil {
		return err
	}
	if err := hold.WriteTo(desired); err != nil {
		return err
	}
	stored, err := s.Cluster.Create(ctx, desired)
	if fault.CodeOf(err) == fault.Conflict {
		// The answer to an earlier attempt of ours may have been lost.
		if stored, err = s.Cluster.Get(ctx, s.Family.Kind, target.GetNamespace(), target.GetName()); err != nil {
			return err
		}
		if hold, err := workload.HoldOf(stored); err != nil || hold == nil || !hold.By(s.Spec) {
			return s.Cannot("create", fault.Conflict, "somebody else has just created it")
		}
	}
	if err != nil {
		return err
	}
	return s.object.WaitFor(ctx, s.key(), stored.GetResourceVersion())
}

// take takes hold of the workload and applies the patch, in one write.
func (s *Session) take(ctx context.Context, g Grip) error {
	if err := s.revisions.Wait(ctx); err != nil {
		return err
	}
	_, err := s.Change(ctx, func(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		before, err := workload.HoldOf(live)
		if err != nil {
			return nil, err
		}
		if before != nil && before.By(s.Spec) {
			return nil, s.still(live, before)
		}
		if before != nil {
			if err := before.Ours(s.Spec); err != nil {
				return nil, err
			}
		}
		if err := s.prepared(live); err != nil {
			return nil, err
		}
		desired, err := patched(live, s.Spec.PatchType, s.Spec.Patch, s.Family.Schema)
		if err != nil {
			return nil, err
		}
		field.Put(desired, s.Family.Holds, field.Pick(live, s.Family.Holds))
		hold := s.newHold(live, before, "")
		if err := g.Grab(s, desired, hold); err != nil {
			return nil, err
		}
		return desired, hold.WriteTo(desired)
	})
	return err
}

// still checks that a workload which the run has prepared before is as it left it.
func (s *Session) still(live *unstructured.Unstructured, hold *workload.Hold) error {
	if hold.Back {
		return s.Cannot("prepare", fault.Refused, "it is on its way back")
	}
	if hold.Armed && !podtemplate.Carries(podtemplate.Of(live), podtemplate.Of(s.Spec.Target)) {
		return s.Cannot("prepare", fault.Conflict, "somebody else changed its pod template")
	}
	return nil
}

// newHold is the run's hold over a workload. What the owner had said, and where its pods were, is taken over from the hold
// of a run that has closed. Previous is the revision of the way back where the run knows it.
func (s *Session) newHold(live *unstructured.Unstructured, before *workload.Hold, previous string) *workload.Hold {
	hold := &workload.Hold{Run: s.Spec.Run, Fence: s.Spec.Fence, Armed: true, Owner: field.Pick(live, s.Family.Holds)}
	rev, known := s.Current(live)
	if earlier, ok := s.named(live.GetUID(), previous); ok && s.isWayBack(earlier) {
		rev, known = earlier, true
	}
	if before != nil {
		hold.Owner, hold.Told = before.Owner, before.Told
		hold.Created = before.Created && before.Run == s.Spec.Run && s.Spec.WayBack == nil
		if earlier, ok := s.named(live.GetUID(), before.Previous); ok && (s.Spec.WayBack == nil || s.isWayBack(earlier)) {
			rev, known = earlier, true
		}
	}
	if known && (s.Spec.WayBack == nil || s.isWayBack(rev)) {
		hold.Previous, hold.Before = rev.Hash, rev.Digest
	}
	return hold
}

func (s *Session) isWayBack(rev Revision) bool {
	return s.Spec.WayBack != nil && podtemplate.Turned(s.Spec.Target, rev.template, s.Spec.WayBack)
}

// previous is the hash of the way back's revision as a hold knows it, "" where that revision is gone or another.
func (s *Session) previous(live *unstructured.Unstructured, hold *workload.Hold) string {
	if rev, ok := s.named(live.GetUID(), hold.Previous); ok && s.isWayBack(rev) {
		return hold.Previous
	}
	return ""
}
