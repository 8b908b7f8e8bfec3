package workload

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines/rule"
)

// grip is how a driver takes a workload into its hands.
type grip interface {
	// grab changes the fields that the driver holds so that the desired template can be written and no pod moves.
	grab(s *session, desired *unstructured.Unstructured, hold *Hold) error
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
	if err := g.grab(s, desired, hold); err != nil {
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
func (s *session) take(ctx context.Context, g grip) error {
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
		desired, err := patched(live, s.spec.PatchType, s.spec.Patch, s.family.schema)
		if err != nil {
			return nil, err
		}
		setFields(desired, s.family.holds, ownerFields(live, s.family.holds))
		hold := s.newHold(live, before, "")
		if err := g.grab(s, desired, hold); err != nil {
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
	hold := &Hold{Run: s.spec.Run, Fence: s.spec.Fence, Armed: true, Owner: ownerFields(live, s.family.holds)}
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

// withdraw deletes the workload where the run created it: there is nothing else to go back to. Another one stays as it is.
func (s *session) withdraw(ctx context.Context, state State, look Look) error {
	live, err := s.live(ctx)
	if err != nil || live == nil {
		return err
	}
	hold, err := HoldOf(live)
	if err != nil {
		return err
	}
	created := state.Created && state.UID == string(live.GetUID()) || s.spec.Made == live.GetUID()
	if hold != nil {
		if err := hold.ours(s.spec); err != nil {
			return err
		}
		created = created || hold.Created && hold.Run == s.spec.Run
	}
	if !created {
		return nil
	}
	uid := live.GetUID()
	switch err := s.c.Delete(ctx, s.family.kind, live.GetNamespace(), live.GetName(), uid); fault.CodeOf(err) {
	case "", fault.NotFound:
	case fault.Conflict:
		// The watch may be behind: another one that has its name by now is not the run's.
		there, err := s.c.Get(ctx, s.family.kind, live.GetNamespace(), live.GetName())
		if err == nil && there.GetUID() == uid {
			return fault.New(fault.Conflict, "cannot delete %s in cluster %s: it was changed meanwhile", nameOf(live), s.c.Context())
		}
		if err != nil && fault.CodeOf(err) != fault.NotFound {
			return err
		}
		return nil
	default:
		return err
	}
	l := looker{look: look}
	for {
		t := s.turn()
		if live, err = s.live(ctx); err != nil || live == nil || live.GetUID() != uid {
			return err
		}
		facts := rule.Facts{Workload: s.count(live, state.Revision, 0, nil, 0, time.Now())}
		if err := l.see(ctx, facts); err != nil {
			return err
		}
		if err := t.sleep(ctx, lookEvery); err != nil {
			return err
		}
	}
}

// isGone reports whether an error says that the workload is not there. A Look may have failed with the same code.
func (s *session) isGone(ctx context.Context, err error) bool {
	if fault.CodeOf(err) != fault.NotFound {
		return false
	}
	live, err := s.live(ctx)
	return err == nil && live == nil
}

// gone is the facts of a workload that is not there.
func (s *session) gone() rule.Facts {
	return rule.Facts{Workload: s.count(nil, "", 0, nil, 0, time.Now())}
}

// holds reports whether there is a workload that the run holds under its present fence. A State would not tell: the run
// may have ended before it learned of what it wrote.
func (s *session) holds(ctx context.Context) (bool, error) {
	live, err := s.live(ctx)
	if err != nil || live == nil {
		return false, err
	}
	hold, err := HoldOf(live)
	return err == nil && hold != nil && hold.by(s.spec), err
}

// disarmed is the state of a workload that the run does not hold, or that is gone.
func disarmed(state State) State {
	state.Armed = false
	return state
}

// takeBack writes the way back's shape over the live object, held. Where nothing was ever changed it writes nothing.
func (s *session) takeBack(ctx context.Context, g grip, state State) error {
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
			if before.by(s.spec) && before.Back {
				return nil, nil
			}
		}
		desired, err := remade(s.spec.Target, live, s.spec.WayBack, s.family.schema)
		if err != nil {
			return nil, err
		}
		setFields(desired, s.family.holds, ownerFields(live, s.family.holds))
		hold := s.newHold(live, before, state.Previous)
		if before != nil && before.by(s.spec) {
			known := hold.Previous
			if hold = before; s.previous(live, hold) == "" {
				hold.Previous = known
			}
		}
		if err := s.goBack(desired, live, state, s.previous(live, hold)); err != nil {
			return nil, err
		}
		if before == nil {
			patch, err := difference(live, desired)
			if err != nil || patch == nil && !g.elsewhere(s, desired) {
				return nil, err
			}
		}
		hold.Back, hold.Armed = true, true
		if err := g.grab(s, desired, hold); err != nil {
			return nil, err
		}
		return desired, hold.writeTo(desired)
	})
	return err
}

// goBack makes desired's template, which has what this run changed taken back, the way back's. A template that is as this
// run left it can become the very one of the previous revision. One that is not may be anybody's: it gets all that the way
// back says, beside what others have added.
func (s *session) goBack(desired, live *unstructured.Unstructured, state State, previous string) error {
	left := state.Template == templateDigest(templateOf(live))
	if left || state.Template == "" {
		s.exact(desired, live, previous, s.spec.WayBack)
	}
	if left || carries(templateOf(desired), templateOf(s.spec.WayBack)) {
		return nil
	}
	template, err := enforced(templateOf(desired), templateOf(s.spec.WayBack))
	if err != nil {
		return err
	}
	desired.Object["spec"].(map[string]any)["template"] = template
	return nil
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
	case back && !hold.Back && s.spec.WayBack == nil && hold.Armed:
		return hold, nil // Revert left it as it was
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
		if back && s.spec.WayBack != nil {
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
