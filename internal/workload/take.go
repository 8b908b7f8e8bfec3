package workload

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/fault"
)

// create creates the workload whole, held.
func (s *session) create(ctx context.Context, g Grip) error {
	target := s.spec.Target
	if s.spec.LiveVersion != "" || s.spec.LiveGeneration != 0 {
		return fault.New(fault.Conflict, "cannot prepare %s in cluster %s: it was deleted since its patch was computed", nameOf(target), s.c.Context())
	}
	desired := target.DeepCopy()
	hold := &Hold{Run: s.spec.Run, Fence: s.spec.Fence, Armed: true, Created: true, Owner: ownerFields(target, s.family.Holds)}
	if err := g.Grab(s, desired, hold); err != nil {
		return err
	}
	if err := hold.writeTo(desired); err != nil {
		return err
	}
	stored, err := s.c.Create(ctx, desired)
	if fault.CodeOf(err) == fault.Conflict {
		// The answer to an earlier attempt of ours may have been lost.
		if stored, err = s.c.Get(ctx, s.family.Kind, target.GetNamespace(), target.GetName()); err != nil {
			return err
		}
		if hold, err := HoldOf(stored); err != nil || hold == nil || !hold.by(s.spec) {
			return fault.New(fault.Conflict, "cannot create %s in cluster %s: somebody else has just created it", nameOf(target), s.c.Context())
		}
	}
	if err != nil {
		return err
	}
	return s.object.WaitFor(ctx, s.key(), stored.GetResourceVersion())
}

// take takes hold of the workload and applies the patch, in one write.
func (s *session) take(ctx context.Context, g Grip) error {
	if err := s.revisions.Wait(ctx); err != nil {
		return err
	}
	_, err := s.change(ctx, func(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		before, err := HoldOf(live)
		if err != nil {
			return nil, err
		}
		if before != nil && before.by(s.spec) {
			return nil, s.still(live, before)
		}
		if before != nil {
			if err := before.ours(s.spec); err != nil {
				return nil, err
			}
		}
		if err := s.prepared(live); err != nil {
			return nil, err
		}
		desired, err := patched(live, s.spec.PatchType, s.spec.Patch, s.family.Schema)
		if err != nil {
			return nil, err
		}
		setFields(desired, s.family.Holds, ownerFields(live, s.family.Holds))
		hold := s.newHold(live, before, "")
		if err := g.Grab(s, desired, hold); err != nil {
			return nil, err
		}
		return desired, hold.writeTo(desired)
	})
	return err
}

// still checks that a workload which the run has prepared before is as it left it.
func (s *session) still(live *unstructured.Unstructured, hold *Hold) error {
	if hold.Back {
		return fault.New(fault.Refused, "cannot prepare %s in cluster %s: it is on its way back", nameOf(live), s.c.Context())
	}
	if hold.Armed && !carries(templateOf(live), templateOf(s.spec.Target)) {
		return fault.New(fault.Conflict, "cannot prepare %s in cluster %s: somebody else changed its pod template", nameOf(live), s.c.Context())
	}
	return nil
}

// newHold is the run's hold over a workload. What the owner had said, and where its pods were, is taken over from the hold
// of a run that has closed. Previous is the revision of the way back where the run knows it.
func (s *session) newHold(live *unstructured.Unstructured, before *Hold, previous string) *Hold {
	hold := &Hold{Run: s.spec.Run, Fence: s.spec.Fence, Armed: true, Owner: ownerFields(live, s.family.Holds)}
	rev, known := s.current(live)
	if earlier, ok := s.named(live.GetUID(), previous); ok && s.isWayBack(earlier) {
		rev, known = earlier, true
	}
	if before != nil {
		hold.Owner, hold.Told = before.Owner, before.Told
		hold.Created = before.Created && before.Run == s.spec.Run && s.spec.WayBack == nil
		if earlier, ok := s.named(live.GetUID(), before.Previous); ok && (s.spec.WayBack == nil || s.isWayBack(earlier)) {
			rev, known = earlier, true
		}
	}
	if known && (s.spec.WayBack == nil || s.isWayBack(rev)) {
		hold.Previous, hold.Before = rev.hash, rev.digest
	}
	return hold
}

func (s *session) isWayBack(rev revision) bool {
	return s.spec.WayBack != nil && turned(s.spec.Target, rev.template, s.spec.WayBack)
}

// previous is the hash of the way back's revision as a hold knows it, "" where that revision is gone or another.
func (s *session) previous(live *unstructured.Unstructured, hold *Hold) string {
	if rev, ok := s.named(live.GetUID(), hold.Previous); ok && s.isWayBack(rev) {
		return hold.Previous
	}
	return ""
}
