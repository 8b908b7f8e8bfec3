package workload

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/fault"
)

// grip is how a driver takes a workload into its hands.
type grip interface {
	// grab changes the fields that the driver holds so that the desired template can be written and no pod moves.
	grab(s *session, desired *unstructured.Unstructured) error
	// elsewhere reports whether any pod is not at the desired template.
	elsewhere(s *session, desired *unstructured.Unstructured) bool
}

// create creates the workload whole, held.
func (s *session) create(ctx context.Context, g grip) error {
	target := s.spec.Target
	if s.spec.LiveVersion != "" || s.spec.LiveGeneration != 0 {
		return fault.New(fault.Conflict, "cannot prepare %s in cluster %s: it was deleted since its patch was computed", nameOf(target), s.c.Context())
	}
	desired := target.DeepCopy()
	hold := &Hold{Run: s.spec.Run, Fence: s.spec.Fence, Armed: true, Created: true, Owner: ownerFields(target, s.family.holds)}
	if err := g.grab(s, desired); err != nil {
		return err
	}
	if err := hold.writeTo(desired); err != nil {
		return err
	}
	stored, err := s.c.Create(ctx, desired)
	if fault.CodeOf(err) == fault.Conflict {
		// The answer to an earlier attempt of ours may have been lost.
		if stored, err = s.c.Get(ctx, s.family.kind, target.GetNamespace(), target.GetName()); err != nil {
			return err
		}
		if hold, err := HoldOf(stored); err != nil || hold == nil || hold.Run != s.spec.Run {
			return fault.New(fault.Conflict, "cannot create %s in cluster %s: somebody else has just created it", nameOf(target), s.c.Context())
		}
	}
	if err != nil {
		return err
	}
	return s.object.WaitFor(ctx, s.key(), stored.GetResourceVersion())
}

// take takes hold of the workload and applies the patch, in one write.
func (s *session) take(ctx context.Context, g grip) error {
	if err := s.revisions.Wait(ctx); err != nil {
		return err
	}
	_, err := s.change(ctx, func(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		before, err := HoldOf(live)
		if err != nil {
			return nil, err
		}
		if before != nil && before.Run == s.spec.Run {
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
		desired, err := patched(live, s.spec.PatchType, s.spec.Patch, s.family.schema)
		if err != nil {
			return nil, err
		}
		setFields(desired, s.family.holds, ownerFields(live, s.family.holds))
		if err := g.grab(s, desired); err != nil {
			return nil, err
		}
		hold := s.newHold(live, before)
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
// of a run that has closed.
func (s *session) newHold(live *unstructured.Unstructured, before *Hold) *Hold {
	hold := &Hold{Run: s.spec.Run, Fence: s.spec.Fence, Armed: true, Owner: ownerFields(live, s.family.holds)}
	rev, known := s.current(live)
	if before != nil {
		hold.Owner = before.Owner
		if earlier, ok := s.named(live.GetUID(), before.Previous); ok && s.isWayBack(earlier) {
			rev, known = earlier, true
		}
	}
	if known && (s.spec.WayBack == nil || s.isWayBack(rev)) {
		hold.Previous = rev.hash
	}
	return hold
}

func (s *session) isWayBack(rev revision) bool {
	return s.spec.WayBack != nil && carries(rev.template, templateOf(s.spec.WayBack))
}

// takeBack writes the way back's shape over the live object, held. Where nothing was ever changed it writes nothing.
func (s *session) takeBack(ctx context.Context, g grip) error {
	if s.spec.WayBack == nil {
		return fault.New(fault.Refused, "cannot revert %s in cluster %s: it has no way back", nameOf(s.spec.Target), s.c.Context())
	}
	if err := s.inTouch(ctx); err != nil {
		return err
	}
	_, err := s.change(ctx, func(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		before, err := HoldOf(live)
		if err != nil {
			return nil, err
		}
		if before != nil {
			if err := before.ours(s.spec); err != nil {
				return nil, err
			}
			if before.Run == s.spec.Run && before.Back {
				return nil, nil
			}
		}
		desired, err := remade(s.spec.Target, live, s.spec.WayBack, s.family.schema)
		if err != nil {
			return nil, err
		}
		setFields(desired, s.family.holds, ownerFields(live, s.family.holds))
		hold := s.newHold(live, before)
		if before != nil && before.Run == s.spec.Run {
			hold = before
		}
		s.exact(desired, live, hold.Previous, s.spec.WayBack)
		if before == nil {
			patch, err := difference(live, desired)
			if err != nil || patch == nil && !g.elsewhere(s, desired) {
				return nil, err
			}
		}
		hold.Back, hold.Armed = true, true
		if err := g.grab(s, desired); err != nil {
			return nil, err
		}
		return desired, hold.writeTo(desired)
	})
	return err
}

// exact gives desired the very template that the pods of a revision were made of, where that is what was rendered: the
// controller then knows those pods as current, whatever others had added to it.
func (s *session) exact(desired, live *unstructured.Unstructured, hash string, rendered *unstructured.Unstructured) {
	rev, ok := s.named(live.GetUID(), hash)
	if !ok || !carries(rev.template, templateOf(rendered)) {
		return
	}
	desired.Object["spec"].(map[string]any)["template"] = deepCopy(rev.template)
}

// withTemplate is live with the template of a revision, or the rendered one where that revision is gone, and a hold.
func (s *session) withTemplate(live *unstructured.Unstructured, hold *Hold, hash string, recorded, rendered *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	merged, err := remade(recorded, live, rendered, s.family.schema)
	if err != nil {
		return nil, err
	}
	desired := live.DeepCopy()
	desired.Object["spec"].(map[string]any)["template"] = templateOf(merged)
	s.exact(desired, live, hash, rendered)
	return desired, hold.writeTo(desired)
}

// settled waits until the controller has seen the workload and kept a revision of its template.
func (s *session) settled(ctx context.Context) (*unstructured.Unstructured, revision, error) {
	end := time.Now().Add(30 * time.Second)
	for {
		t := s.turn()
		live, err := s.observed(ctx)
		if err != nil {
			return nil, revision{}, err
		}
		if err := s.revisions.Wait(ctx); err != nil {
			return nil, revision{}, err
		}
		if rev, ok := s.current(live); ok && s.isNewest(live, rev) {
			return live, rev, nil
		}
		left := time.Until(end)
		if left <= 0 {
			return nil, revision{}, unknownRevision(live, s.c)
		}
		if err := t.sleep(ctx, left); err != nil {
			return nil, revision{}, err
		}
	}
}

// isNewest cross-checks a revision: the controller gives the one that it hands out the highest number.
func (s *session) isNewest(live *unstructured.Unstructured, rev revision) bool {
	newest, ok := s.newest(live.GetUID(), func(revision) bool { return true })
	return ok && newest.name == rev.name
}

// finishable checks that the hold is at the end of the way that is to be finished. It returns no hold where there is none.
func (s *session) finishable(ctx context.Context, back bool) (*Hold, error) {
	live, err := s.present(ctx)
	if err != nil {
		return nil, err
	}
	hold, err := HoldOf(live)
	if err != nil || hold == nil {
		return nil, err
	}
	if _, err := s.held(live); err != nil {
		return nil, err
	}
	switch {
	case back && !hold.Back:
		return nil, fault.New(fault.Refused, "cannot finish the way back of %s in cluster %s: it is not on its way back", nameOf(live), s.c.Context())
	case !back && hold.Back:
		return nil, fault.New(fault.Refused, "cannot finish %s in cluster %s: it is on its way back", nameOf(live), s.c.Context())
	case !hold.Armed:
		return nil, fault.New(fault.Refused, "cannot finish %s in cluster %s: it is disarmed", nameOf(live), s.c.Context())
	}
	return hold, nil
}

// giveBack gives the owner's strategy back and removes the hold, in one write.
func (s *session) giveBack(ctx context.Context, state State, rev revision, back bool) (State, error) {
	stored, err := s.change(ctx, func(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		hold, err := HoldOf(live)
		if err != nil || hold == nil {
			return nil, err
		}
		if _, err := s.held(live); err != nil {
			return nil, err
		}
		if templateDigest(templateOf(live)) != rev.digest {
			return nil, s.templateIs(live, rev.digest)
		}
		recorded, rendered := s.spec.WayBack, s.spec.Target
		if back {
			recorded, rendered = s.spec.WayBack, s.spec.WayBack
		}
		fields, err := restored(recorded, rendered, hold.Owner, s.family.holds)
		if err != nil {
			return nil, err
		}
		desired := live.DeepCopy()
		setFields(desired, s.family.holds, fields)
		removeHold(desired)
		return desired, nil
	})
	if err != nil {
		return State{}, err
	}
	after := stateOf(stored, &Hold{Previous: state.Previous, Created: state.Created})
	after.Revision, after.Template = rev.hash, rev.digest
	return after, nil
}

func stateOf(live *unstructured.Unstructured, hold *Hold) State {
	return State{
		UID: string(live.GetUID()), ResourceVersion: live.GetResourceVersion(), Generation: live.GetGeneration(),
		Previous: hold.Previous, Armed: hold.Armed, Created: hold.Created, Revision: hold.Target, Template: hold.Template,
	}
}
