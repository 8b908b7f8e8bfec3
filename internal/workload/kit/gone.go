package kit

import (
	"context"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/pipelines/rule"
)

// withdraw deletes the workload where the run created it: there is nothing else to go back to. Another one stays as it is.
func (s *Session) withdraw(ctx context.Context, state workload.State, look workload.Look) error {
	live, err := s.Live(ctx)
	if err != nil || live == nil {
		return err
	}
	hold, err := workload.HoldOf(live)
	if err != nil {
		return err
	}
	created := state.Created && state.UID == string(live.GetUID()) || s.Spec.Made == live.GetUID()
	if hold != nil {
		if err := hold.Ours(s.Spec); err != nil {
			return err
		}
		created = created || hold.Created && hold.Run == s.Spec.Run
	}
	if !created {
		return nil
	}
	uid := live.GetUID()
	switch err := s.Cluster.Delete(ctx, s.Family.Kind, live.GetNamespace(), live.GetName(), uid); fault.CodeOf(err) {
	case "", fault.NotFound:
	case fault.Conflict:
		// The watch may be behind: another one that has its name by now is not the run's.
		there, err := s.Cluster.Get(ctx, s.Family.Kind, live.GetNamespace(), live.GetName())
		if err == nil && there.GetUID() == uid {
			return s.Cannot("delete", fault.Conflict, "it was changed meanwhile")
		}
		if err != nil && fault.CodeOf(err) != fault.NotFound {
			return err
		}
		return nil
	default:
		return err
	}
	l := looker{look: look, clock: s.Clock}
	for {
		t := s.turn()
		if live, err = s.Live(ctx); err != nil || live == nil || live.GetUID() != uid {
			return err
		}
		facts := rule.Facts{Workload: s.Count(live, state.Revision, 0, nil, 0, s.Clock.Now())}
		if err := l.see(ctx, facts); err != nil {
			return err
		}
		if err := t.sleep(ctx, lookEvery); err != nil {
			return err
		}
	}
}

// isGone reports whether an error says that the workload is not there. A Look may have failed with the same code.
func (s *Session) isGone(ctx context.Context, err error) bool {
	if fault.CodeOf(err) != fault.NotFound {
		return false
	}
	live, err := s.Live(ctx)
	return err == nil && live == nil
}

// gone is the facts of a workload that is not there.
func (s *Session) gone() rule.Facts {
	return rule.Facts{Workload: s.Count(nil, "", 0, nil, 0, s.Clock.Now())}
}
