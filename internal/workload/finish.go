package workload

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/fault"
)

// finishable checks that the hold is at the end of the way that is to be finished, where there is one.
func (s *session) finishable(ctx context.Context, back bool) error {
	live, err := s.present(ctx)
	if err != nil {
		return err
	}
	hold, err := HoldOf(live)
	if err != nil || hold == nil {
		return err
	}
	if _, err := s.held(live); err != nil {
		return err
	}
	switch {
	case back && !hold.Back && s.spec.WayBack == nil && hold.Armed:
		return nil // Revert left it as it was
	case back && !hold.Back:
		return fault.New(fault.Refused, "cannot finish the way back of %s in cluster %s: it is not on its way back", nameOf(live), s.c.Context())
	case !back && hold.Back:
		return fault.New(fault.Refused, "cannot finish %s in cluster %s: it is on its way back", nameOf(live), s.c.Context())
	case !hold.Armed:
		return fault.New(fault.Refused, "cannot finish %s in cluster %s: it is disarmed", nameOf(live), s.c.Context())
	}
	return nil
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
		fields, err := s.family.restored(recorded, rendered, hold.Owner)
		if err != nil {
			return nil, err
		}
		desired := live.DeepCopy()
		setFields(desired, s.family.Holds, fields)
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
