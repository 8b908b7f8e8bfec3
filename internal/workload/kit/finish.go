package kit

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/field"
	"sluice.dev/sluice/internal/workload/podtemplate"
)

// finishable checks that the hold is at the end of the way that is to be finished, where there is one.
func (s *Session) finishable(ctx context.Context, back bool) error {
	live, err := s.present(ctx)
	if err != nil {
		return err
	}
	hold, err := workload.HoldOf(live)
	if err != nil || hold == nil {
		return err
	}
	if _, err := s.Held(live); err != nil {
		return err
	}
	switch {
	case back && !hold.Back && s.Spec.WayBack == nil && hold.Armed:
		return nil // Revert left it as it was
	case back && !hold.Back:
		return s.Cannot("finish the way back of", fault.Refused, "it is not on its way back")
	case !back && hold.Back:
		return s.Cannot("finish", fault.Refused, "it is on its way back")
	case !hold.Armed:
		return s.Cannot("finish", fault.Refused, "it is disarmed")
	}
	return nil
}

// giveBack gives the owner's strategy back and removes the hold, in one write.
func (s *Session) giveBack(ctx context.Context, state workload.State, rev Revision, back bool) (workload.State, error) {
	stored, err := s.Change(ctx, func(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		hold, err := workload.HoldOf(live)
		if err != nil || hold == nil {
			return nil, err
		}
		if _, err := s.Held(live); err != nil {
			return nil, err
		}
		if podtemplate.Digest(podtemplate.Of(live)) != rev.Digest {
			return nil, s.templateIs(live, rev.Digest)
		}
		recorded, rendered := s.Spec.WayBack, s.Spec.Target
		if back && s.Spec.WayBack != nil {
			recorded, rendered = s.Spec.WayBack, s.Spec.WayBack
		}
		fields, err := s.Family.Restored(recorded, rendered, hold.Owner)
		if err != nil {
			return nil, err
		}
		desired := live.DeepCopy()
		field.Put(desired, s.Family.Holds, fields)
		workload.RemoveHold(desired)
		return desired, nil
	})
	if err != nil {
		return workload.State{}, err
	}
	after := stateOf(stored, &workload.Hold{Previous: state.Previous, Created: state.Created})
	after.Revision, after.Template = rev.Hash, rev.Digest
	return after, nil
}
