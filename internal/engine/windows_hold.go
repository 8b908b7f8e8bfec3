package engine

import (
	"context"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/identity"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/calendar"
)

// actions are the commands of which windows speak. The others move nothing.
func actions() map[string]calendar.Action {
	return map[string]calendar.Action{
		api.UpdateResume: calendar.Resume, api.UpdateRollback: calendar.Rollback, api.UpdateAbort: calendar.Abort,
		api.UpdateEndSoak: calendar.Resume, api.UpdateRetry: calendar.Resume,
		api.UpdateRetreat: calendar.Rollback,
	}
}

// windowed refuses a command that a window of the run denies: one that is asked before the run too, and holds. What takes a change
// back, or ends it, is refused only where a window names it and is known to be closed: a window that cannot be read keeps nobody from
// that, and what goes on is asked again before it moves anything.
func (e *Engine) windowed(ctx context.Context, known ledger.Run, name string, c api.Command) error {
	action, spoken := actions()[name]
	if !spoken || c.DryRun || !known.Ended.IsZero() && action != calendar.Rollback {
		return nil
	}
	planned, err := e.LoadPlan(ctx, known.Plan)
	if err != nil {
		if action != calendar.Resume {
			return nil
		}
		return err
	}
	for _, check := range pipelines.ChecksAt(planned.Plan.Checks, pipelines.BeforeRun) {
		if check.Enforcement == pipelines.Advisory {
			continue
		}
		for _, s := range check.Steps {
			if s.Window == nil {
				continue
			}
			windows, _, err := windowsFor(check, s)
			if err != nil {
				continue
			}
			if a := windows.Ask(e.now(), action, identity.Invoker(c.Who)); !a.Allowed {
				return fault.New(fault.Refused, "cannot %s %s: window %s is %s", spelled(name), known.Name, s.Name, a)
			}
		}
	}
	return nil
}

// spelled is a command as a verb.
func spelled(name string) string {
	switch name {
	case api.UpdateRollback:
		return "roll back"
	case api.UpdateEndSoak:
		return "end a soak of"
	case api.UpdateRetreat:
		return "take back a batch of"
	}
	return name
}
