package kit

import (
	"context"

	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/field"
)

// recall finds the way back of a workload that was there before the run and that nobody had recorded: its controller still
// keeps the template that it had. Nothing else of it goes back. A workload that the run created has no such way, nor has one
// that the run never held.
func (s *Session) recall(ctx context.Context, state workload.State) error {
	if s.Spec.WayBack != nil {
		return nil
	}
	live, err := s.Live(ctx)
	if err != nil || live == nil || live.GetUID() == s.Spec.Made {
		return err
	}
	if err := s.revisions.Wait(ctx); err != nil {
		return err
	}
	hold, err := workload.HoldOf(live)
	if err != nil {
		return err
	}
	if hold == nil && state.UID == string(live.GetUID()) {
		hold = &workload.Hold{
			Run: s.Spec.Run, Fence: s.Spec.Fence, Created: state.Created, Previous: state.Previous, Owner: field.Pick(live, s.Family.Holds),
		}
	}
	if hold == nil || !hold.By(s.Spec) || hold.Created {
		return nil
	}
	rev, ok := s.named(live.GetUID(), hold.Previous)
	if !ok {
		return nil
	}
	before := s.Spec.Target.DeepCopy()
	before.Object["spec"].(map[string]any)["template"] = field.Copy(rev.template)
	field.Put(before, s.Family.Holds, hold.Owner)
	s.Spec.WayBack = before
	return nil
}
