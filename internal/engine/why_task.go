package engine

import (
	"strings"

	"sluice.dev/sluice/internal/api"
)

// isTask reports whether a task of a run is asked about: by its name, which is all combinations of its matrix, or one of them.
func isTask(t *api.TaskStatus, about string) bool {
	return about == t.Name || about == t.Label()
}

// taskReason is why a task has not begun, was left out, or failed.
func taskReason(view View, t *api.TaskStatus) Reason {
	r := Reason{Subject: "task " + t.Label(), Phase: t.Phase, Waiting: t.Waiting, Attempts: t.Attempts, Results: t.Results, Since: t.Started}
	if t.Ended.After(r.Since) {
		r.Since = t.Ended
	}
	for i := range t.Steps {
		if v := t.Steps[i].Verdict; v != api.Passed && v != api.Skipped {
			r.Failure, r.FailedAt = &t.Steps[i], r.Subject
			break
		}
	}
	if r.Waiting != nil {
		return r
	}
	switch said := strings.Trim(t.Reason+": "+t.Message, ": "); {
	case t.Phase == api.PhaseMoving:
		r.Waiting = &api.Waiting{Kind: api.WaitTasks, Name: t.Label(), Since: t.Started, Unmet: []string{"its steps have not ended"}}
	case t.Phase.Final() && t.Phase != api.PhaseSucceeded:
		r.Waiting = &api.Waiting{Kind: api.WaitNothing, Unmet: []string{said}}
	case t.Phase.Final() || view.Phase.Final():
	case view.Waiting != nil && view.Waiting.Kind != api.WaitTasks:
		r.Waiting = view.Waiting
	default:
		before := "the tasks that it is ordered after have not ended"
		if t.Finally && view.FinallyStarted.IsZero() {
			before = "finally has not begun: it does once the run is over"
		}
		r.Waiting = &api.Waiting{Kind: api.WaitTurn, Since: view.Started, Unmet: []string{before}}
	}
	return r
}
