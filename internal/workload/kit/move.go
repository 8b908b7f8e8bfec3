package kit

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/podtemplate"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// move moves pods until the aim is reached: one look, one step, and then the wait for what comes of it.
func (d driver) move(ctx context.Context, s *Session, to Aim, look workload.Look) (rule.Facts, error) {
	l := looker{look: look, clock: s.Clock}
	mover := d.kind.Mover(s, to)
	for {
		t := s.turn()
		seen, err := mover.Look(ctx)
		if err == nil && seen.Live == nil {
			err = s.missing()
		}
		if err != nil {
			return rule.Facts{}, err
		}
		if err := s.intact(seen.Live, to, mover); err != nil {
			return seen.Facts, err
		}
		w := &seen.Facts.Workload
		w.Waiting = slices.Concat(w.Waiting, mover.Waiting())
		slices.Sort(w.Waiting)
		w.Waiting = slices.Compact(w.Waiting)
		if err := l.see(ctx, seen.Facts); err != nil {
			return seen.Facts, err
		}
		done, next, err := mover.Step(ctx)
		if err != nil || done {
			return seen.Facts, err
		}
		if err := t.sleep(ctx, next); err != nil {
			return seen.Facts, err
		}
	}
}

// intact checks that the workload is as this run left it: another template or strategy would move pods that no batch allows.
// One that nobody had to take hold of is at its goal already.
func (s *Session) intact(live *unstructured.Unstructured, to Aim, mover Mover) error {
	hold, err := workload.HoldOf(live)
	if err != nil {
		return err
	}
	if hold == nil && to.back {
		return s.templateIs(live, to.Template)
	}
	if hold, err = s.Held(live); err != nil {
		return err
	}
	if hold.Back != to.back {
		return s.Cannot("move", fault.Refused, "it is on its way back")
	}
	switch {
	case !hold.Armed && !to.Retreats:
		return s.Cannot("move", fault.Refused, "it is disarmed")
	case hold.Armed && to.Retreats:
		return s.Cannot("take back a batch of", fault.Refused, "it is armed")
	}
	if err := mover.Intact(hold); err != nil {
		return err
	}
	return s.templateIs(live, to.Template)
}

// UsedUp says that pods which are down by themselves leave no room for others to go.
func UsedUp(down, most int) string {
	return fmt.Sprintf("MaxUnavailable: %d pods are down that this batch did not take down, maxUnavailable is %d", down, most)
}

func (d driver) revert(
	ctx context.Context, s *Session, state workload.State, pace pipelines.Amount, look workload.Look,
) (rule.Facts, error) {
	if err := s.recall(ctx, state); err != nil {
		return rule.Facts{}, err
	}
	if s.Spec.WayBack == nil {
		return d.withdraw(ctx, s, state, pace, look)
	}
	if err := d.beforeWriting(ctx, s); err != nil {
		return rule.Facts{}, err
	}
	if err := s.takeBack(ctx, d.kind, state); err != nil {
		return rule.Facts{}, err
	}
	live, rev, err := s.settled(ctx)
	if err != nil {
		return rule.Facts{}, err
	}
	to := Aim{Template: podtemplate.Digest(podtemplate.Of(live)), Goal: Everything(pace), back: true, Living: true}
	if !s.Family.Late {
		to.Revision = rev.Hash
	}
	return d.move(ctx, s, to, look)
}

// withdraw takes a workload away that has no way back, where the run made it, and looks at one that stays.
func (d driver) withdraw(
	ctx context.Context, s *Session, state workload.State, pace pipelines.Amount, look workload.Look,
) (rule.Facts, error) {
	if err := s.withdraw(ctx, state, look); err != nil {
		return rule.Facts{}, err
	}
	seen, err := d.kind.Mover(s, Aim{Revision: state.Revision, Goal: Everything(pace), Living: true}).Look(ctx)
	if err == nil && seen.Live == nil {
		err = s.missing()
	}
	if err != nil {
		return rule.Facts{}, err
	}
	return seen.Facts, nil
}

func (d driver) finish(ctx context.Context, s *Session, state workload.State, back bool) (workload.State, error) {
	if back {
		if err := s.recall(ctx, state); err != nil {
			return workload.State{}, err
		}
	}
	if err := s.finishable(ctx, back); err != nil {
		return workload.State{}, err
	}
	live, rev, err := s.settled(ctx)
	if err != nil {
		return workload.State{}, err
	}
	if err := d.kind.Left(ctx, s, live, rev); err != nil {
		return workload.State{}, err
	}
	return s.giveBack(ctx, state, rev, back)
}
