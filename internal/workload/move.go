package workload

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// move moves pods until the aim is reached: one look, one step, and then the wait for what comes of it.
func (d driver) move(ctx context.Context, s *session, to aim, look Look) (rule.Facts, error) {
	l := looker{look: look, clock: s.clock}
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
		w.Waiting = append(w.Waiting, mover.Waiting()...)
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
func (s *session) intact(live *unstructured.Unstructured, to aim, mover Mover) error {
	hold, err := HoldOf(live)
	if err != nil {
		return err
	}
	if hold == nil && to.back {
		return s.templateIs(live, to.template)
	}
	if hold, err = s.held(live); err != nil {
		return err
	}
	if hold.Back != to.back {
		return fault.New(fault.Refused, "cannot move %s in cluster %s: it is on its way back", nameOf(live), s.c.Context())
	}
	if !hold.Armed {
		return fault.New(fault.Refused, "cannot move %s in cluster %s: it is disarmed", nameOf(live), s.c.Context())
	}
	if err := mover.Intact(hold); err != nil {
		return err
	}
	return s.templateIs(live, to.template)
}

func (d driver) revert(ctx context.Context, s *session, state State, pace pipelines.Amount, look Look) (rule.Facts, error) {
	if err := s.recall(ctx, state); err != nil {
		return rule.Facts{}, err
	}
	if s.spec.WayBack == nil {
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
	to := aim{template: templateDigest(templateOf(live)), goal: everything(pace), back: true, living: true}
	if !s.family.Late {
		to.revision = rev.hash
	}
	return d.move(ctx, s, to, look)
}

// withdraw takes a workload away that has no way back, where the run made it, and looks at one that stays.
func (d driver) withdraw(ctx context.Context, s *session, state State, pace pipelines.Amount, look Look) (rule.Facts, error) {
	if err := s.withdraw(ctx, state, look); err != nil {
		return rule.Facts{}, err
	}
	seen, err := d.kind.Mover(s, aim{revision: state.Revision, goal: everything(pace), living: true}).Look(ctx)
	if err == nil && seen.Live == nil {
		err = s.missing()
	}
	if err != nil {
		return rule.Facts{}, err
	}
	return seen.Facts, nil
}

func (d driver) finish(ctx context.Context, s *session, state State, back bool) (State, error) {
	if back {
		if err := s.recall(ctx, state); err != nil {
			return State{}, err
		}
	}
	if err := s.finishable(ctx, back); err != nil {
		return State{}, err
	}
	live, rev, err := s.settled(ctx)
	if err != nil {
		return State{}, err
	}
	if err := d.kind.Left(ctx, s, live, rev); err != nil {
		return State{}, err
	}
	return s.giveBack(ctx, state, rev, back)
}
