package workload

import (
	"context"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines/rule"
)

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
	switch err := s.c.Delete(ctx, s.family.Kind, live.GetNamespace(), live.GetName(), uid); fault.CodeOf(err) {
	case "", fault.NotFound:
	case fault.Conflict:
		// The watch may be behind: another one that has its name by now is not the run's.
		there, err := s.c.Get(ctx, s.family.Kind, live.GetNamespace(), live.GetName())
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
	l := looker{look: look, clock: s.clock}
	for {
		t := s.turn()
		if live, err = s.live(ctx); err != nil || live == nil || live.GetUID() != uid {
			return err
		}
		facts := rule.Facts{Workload: s.count(live, state.Revision, 0, nil, 0, s.clock.Now())}
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
	return rule.Facts{Workload: s.count(nil, "", 0, nil, 0, s.clock.Now())}
}
