package check

import (
	"context"
	"fmt"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/identity"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/calendar"
)

// SeenUntil is the name of what is seen of a window that changes by itself: the time at which it does, as RFC 3339 has it.
const SeenUntil = "until"

// windowLook is how long a closed window is waited for before it is looked at again. The clock of a machine may jump, and a timer
// does not jump with it.
const windowLook = time.Minute

// Windows asks the windows of steps about the time of a clock. A closed one is no verdict: it is waited for, and opens by itself.
func Windows(c clock.PassiveClock) Source {
	return SourceFunc(func(_ context.Context, q Question) Finding { return window(c.Now(), q) })
}

func window(now time.Time, q Question) Finding {
	w := q.Step.Window
	if w.InFlight == pipelines.Finish && pipelines.ScopeOf(q.Point) == pipelines.ScopeOf(pipelines.BeforeBatch) {
		return Finding{Verdict: api.Passed, Message: "the unit has begun, and finishes whatever the window says"}
	}
	c, err := w.Calendar()
	if err != nil {
		return Finding{Verdict: api.Error, Message: "cannot read the window: " + err.Error()}
	}
	action, by := calendar.Advance, identity.Invoker(q.Facts.Change.By)
	if q.Point == pipelines.BeforeRun {
		action = calendar.Start
	}
	answer := c.Ask(now, action, by)
	f := Finding{
		Verdict: api.Passed,
		Message: fmt.Sprintf("%s by %s: %s", action, by, answer),
		Seen: map[string]any{
			"action": string(action), "invoker": string(by), "timeZone": w.TimeZone, "windows": answer.Windows, "allowed": answer.Allowed,
		},
	}
	if !answer.Until.IsZero() {
		f.Seen[SeenUntil] = answer.Until.Format(time.RFC3339)
	}
	switch {
	case answer.Allowed:
	case answer.Never():
		f.Verdict = api.Inconclusive
	default:
		f.Verdict, f.Again = api.Inconclusive, answer.Until
		if soon := now.Add(windowLook); soon.Before(f.Again) {
			f.Again = soon
		}
	}
	return f
}
