package kit

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/podtemplate"
	"sluice.dev/sluice/pipelines/rule"
)

// retreat moves pods of a disarmed workload back, until no more are at the target's template than stay. A controller that moves
// pods by itself has the template of before for as long as that takes.
func (d driver) retreat(
	ctx context.Context, s *Session, state workload.State, stay workload.Goal, look workload.Look,
) (rule.Facts, error) {
	if err := s.recall(ctx, state); err != nil {
		return rule.Facts{}, err
	}
	if s.Spec.WayBack == nil || state.Created {
		return rule.Facts{}, s.Cannot("take back a batch of", fault.Refused, "there is no version before")
	}
	if !d.family.OnDelete {
		if turned, err := d.turn(ctx, s); err != nil || !turned {
			return rule.Facts{}, err
		}
	}
	live, rev, err := s.settled(ctx)
	if err != nil {
		return rule.Facts{}, err
	}
	to := Aim{Template: podtemplate.Digest(podtemplate.Of(live)), Goal: stay, Retreats: true, Living: true}
	if !s.Family.Late {
		to.Revision = rev.Hash
	}
	facts, err := d.move(ctx, s, to, look)
	if err != nil || d.family.OnDelete {
		return facts, err
	}
	_, err = d.rearm(ctx, s, state, false)
	return facts, err
}

// turn writes the template of before over that of the target, so that no pod moves yet. It has nothing to do where the target
// has no revision, and so no pods.
func (d driver) turn(ctx context.Context, s *Session) (turned bool, err error) {
	if err := s.inTouch(ctx); err != nil {
		return false, err
	}
	_, err = s.Change(ctx, func(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		hold, err := s.Held(live)
		if err != nil || hold.Retreats {
			turned = err == nil
			return nil, err
		}
		if hold.Back || hold.Armed {
			return nil, s.Cannot("take back a batch of", fault.Refused, "it is not disarmed")
		}
		if _, turned = s.Current(live); !turned {
			return nil, nil
		}
		desired, err := s.swapped(live, hold, false)
		if err != nil {
			return nil, err
		}
		if err := d.kind.Grab(s, desired, hold); err != nil {
			return nil, err
		}
		hold.Retreats = true
		return desired, hold.WriteTo(desired)
	})
	return turned, err
}

// regained is a workload that retreated with the target's template again, so that no pod moves.
func (d driver) regained(s *Session, live *unstructured.Unstructured, hold *workload.Hold) (*unstructured.Unstructured, error) {
	desired, err := s.swapped(live, hold, true)
	if err != nil {
		return nil, err
	}
	hold.Retreats = false
	return desired, d.kind.Grab(s, desired, hold)
}
