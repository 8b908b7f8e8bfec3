package kit

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/workload"
)

// disarm goes by the hold alone.
func (d driver) disarm(ctx context.Context, s *Session, state workload.State) (workload.State, error) {
	if ours, err := s.holds(ctx); err != nil || !ours {
		return disarmed(state), err
	}
	if err := d.remember(ctx, s, state); err != nil {
		return workload.State{}, err
	}
	if err := d.calm(ctx, s); err != nil {
		return workload.State{}, err
	}
	return d.rearm(ctx, s, state, false)
}

func (d driver) arm(ctx context.Context, s *Session, state workload.State) (workload.State, error) {
	if err := d.remember(ctx, s, state); err != nil {
		return workload.State{}, err
	}
	if err := d.beforeWriting(ctx, s); err != nil {
		return workload.State{}, err
	}
	return d.rearm(ctx, s, state, true)
}

// remember finds the template of before where that is what stands there while the workload is disarmed.
func (d driver) remember(ctx context.Context, s *Session, state workload.State) error {
	live, err := s.Live(ctx)
	if err != nil || live == nil {
		return err
	}
	if hold, err := workload.HoldOf(live); err != nil || !d.family.OnDelete && (hold == nil || !hold.Retreats) {
		return err
	}
	return s.recall(ctx, state)
}

// rearm arms a held workload, or disarms it. What a workload that is not held is like is not changed by either.
func (d driver) rearm(ctx context.Context, s *Session, state workload.State, armed bool) (workload.State, error) {
	live, err := s.Change(ctx, func(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		hold, err := workload.HoldOf(live)
		if err != nil || hold == nil || hold.Armed == armed && !hold.Retreats || hold.Back || !armed && !hold.By(s.Spec) {
			return nil, err
		}
		if _, err := s.Held(live); err != nil {
			return nil, err
		}
		var desired *unstructured.Unstructured
		switch {
		case hold.Retreats:
			desired, err = d.regained(s, live, hold)
		case d.family.OnDelete:
			desired, err = s.swapped(live, hold, armed)
		default:
			desired, err = d.paused(s, live, hold)
		}
		if err != nil || desired == nil {
			return nil, err
		}
		hold.Armed = armed
		return desired, hold.WriteTo(desired)
	})
	if err != nil {
		return workload.State{}, err
	}
	switch hold, err := workload.HoldOf(live); {
	case err != nil:
		return state, err
	case (hold == nil || !hold.By(s.Spec)) && !armed:
		return disarmed(state), nil
	case hold == nil || !hold.By(s.Spec):
		return state, nil
	}
	return s.state(ctx)
}

// paused is a workload whose controller moves no pod; nil where it moves none anyway. Armed or not, it stays paused until its
// pods move.
func (d driver) paused(s *Session, live *unstructured.Unstructured, hold *workload.Hold) (*unstructured.Unstructured, error) {
	desired := live.DeepCopy()
	if there, err := d.kind.Pause(s, desired, hold); err != nil || !there {
		return nil, err
	}
	return desired, nil
}

// swapped is a workload with the template of before in the place of the target's, or with the target's again. It is nil where
// there is none of before.
func (s *Session) swapped(live *unstructured.Unstructured, hold *workload.Hold, armed bool) (*unstructured.Unstructured, error) {
	if armed {
		return s.withTemplate(live, hold.Target, s.Spec.WayBack, s.Spec.Target)
	}
	if hold.Created || s.Spec.WayBack == nil {
		return nil, nil
	}
	rev, ok := s.Current(live)
	if !ok {
		return nil, s.unknownRevision()
	}
	hold.Target, hold.Template = rev.Hash, rev.Digest
	return s.withTemplate(live, s.previous(live, hold), s.Spec.Target, s.Spec.WayBack)
}

// beforeWriting gives a controller that moves pods by itself the time to do what it was told before: it goes on with half of
// it otherwise.
func (d driver) beforeWriting(ctx context.Context, s *Session) error {
	if d.family.OnDelete {
		return nil
	}
	return d.calm(ctx, s)
}

// calmFor is how long a workload gets to come to rest before it is written.
const calmFor = 3 * time.Second

// calm waits for a short time until no pod is on its way.
func (d driver) calm(ctx context.Context, s *Session) error {
	end := s.Clock.Now().Add(calmFor)
	for {
		t := s.turn()
		steady, err := d.kind.Steady(ctx, s)
		left := end.Sub(s.Clock.Now())
		if err != nil || steady || left <= 0 {
			return err
		}
		if err := t.sleep(ctx, left); err != nil {
			return err
		}
	}
}
