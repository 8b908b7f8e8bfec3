package workload

import "context"

// recall finds the way back of a workload that was there before the run and that nobody had recorded: its controller still
// keeps the template that it had. Nothing else of it goes back. A workload that the run created has no such way, nor has one
// that the run never held.
func (s *session) recall(ctx context.Context, state State) error {
	if s.spec.WayBack != nil {
		return nil
	}
	live, err := s.live(ctx)
	if err != nil || live == nil || live.GetUID() == s.spec.Made {
		return err
	}
	if err := s.revisions.Wait(ctx); err != nil {
		return err
	}
	hold, err := HoldOf(live)
	if err != nil {
		return err
	}
	if hold == nil && state.UID == string(live.GetUID()) {
		hold = &Hold{Run: s.spec.Run, Fence: s.spec.Fence, Created: state.Created, Previous: state.Previous, Owner: ownerFields(live, s.family.Holds)}
	}
	if hold == nil || !hold.by(s.spec) || hold.Created {
		return nil
	}
	rev, ok := s.named(live.GetUID(), hold.Previous)
	if !ok {
		return nil
	}
	before := s.spec.Target.DeepCopy()
	before.Object["spec"].(map[string]any)["template"] = deepCopy(rev.template)
	setFields(before, s.family.Holds, hold.Owner)
	s.spec.WayBack = before
	return nil
}
