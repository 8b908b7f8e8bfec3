package calendar

import (
	"fmt"
	"strings"
	"time"
)

// Horizon is how far ahead is looked for the next change of an answer: every window that opens once a year does so within it.
const Horizon = 400 * 24 * time.Hour

// maxLooks bounds the instants that are looked at on the way: windows of a minute that never meet would take long else.
const maxLooks = 100_000

// Answer says whether an action is allowed at an instant.
type Answer struct {
	Allowed bool
	// Reason says why, and names the windows that decide.
	Reason string
	// Windows are the names of the windows that decide: those that deny it, else those that allow it, else those that it is outside of.
	Windows []string
	// Until is when Allowed changes; zero where it stays as it is for as long as was looked ahead.
	Until time.Time
	// Searched is the instant to which was looked ahead.
	Searched time.Time
}

// Never reports whether the action is not allowed, and not for a Horizon after.
func (a Answer) Never() bool { return !a.Allowed && a.Until.IsZero() }

// Ask says whether an action by an invoker is allowed at an instant. A window that denies it, and covers the instant, beats every
// window that allows it. Where windows that allow name the action, one of them has to cover the instant, and to name the invoker;
// where none does, the action is free.
func (c *Calendar) Ask(at time.Time, a Action, by Invoker) Answer { return c.ask(at, a, by, Horizon) }

func (c *Calendar) ask(at time.Time, a Action, by Invoker, horizon time.Duration) Answer {
	q := c.about(a, by)
	at = at.In(c.zone)
	first := q.look(at)
	out := Answer{Allowed: first.allowed, Reason: first.reason, Windows: first.windows}
	end, next := at.Add(horizon), first.until
	for range maxLooks {
		if !next.Before(end) {
			out.Searched = end
			return out
		}
		next = next.In(c.zone)
		l := q.look(next)
		if l.allowed != out.Allowed {
			out.Until, out.Searched = next, next
			return out
		}
		next = l.until
	}
	out.Searched = next
	return out
}

// String says it in one line, with the times in the zone of the calendar.
func (a Answer) String() string {
	words := [2]string{"closed", "opens"}
	if a.Allowed {
		words = [2]string{"open", "closes"}
	}
	switch {
	case !a.Until.IsZero():
		return fmt.Sprintf("%s: %s; it %s %s", words[0], a.Reason, words[1], Stamp(a.Until))
	case a.Allowed:
		return words[0] + ": " + a.Reason
	}
	return fmt.Sprintf("%s: %s; it does not open before %s", words[0], a.Reason, Stamp(a.Searched))
}

// Stamp writes an instant as the calendar on the wall shows it, with its weekday and zone.
func Stamp(t time.Time) string { return t.Format("Mon 2006-01-02 15:04 MST") }

// question is what of a calendar concerns an action and an invoker.
type question struct {
	by     Invoker
	deny   []Window
	allow  []Window // that name the action
	admits []Window // those of allow that name the invoker too
}

func (c *Calendar) about(a Action, by Invoker) question {
	q := question{by: by}
	for _, w := range c.deny {
		if w.speaksOf(a) && w.concerns(by) {
			q.deny = append(q.deny, w)
		}
	}
	for _, w := range c.allow {
		if !w.speaksOf(a) {
			continue
		}
		q.allow = append(q.allow, w)
		if w.concerns(by) {
			q.admits = append(q.admits, w)
		}
	}
	return q
}

// look is the answer at one instant. Until is an instant after it before which allowed does not change.
type look struct {
	allowed bool
	reason  string
	windows []string
	until   time.Time
}

func (q question) look(at time.Time) look {
	deny := weigh(q.deny, at)
	if len(deny.covering) > 0 {
		return look{reason: "denied by " + listed(deny.covering), windows: deny.covering, until: deny.longest}
	}
	if len(q.allow) == 0 {
		reason := "no window speaks of it"
		if len(q.deny) > 0 {
			reason = "no window denies it"
		}
		return look{allowed: true, reason: reason, until: deny.next}
	}
	allow := weigh(q.admits, at)
	switch {
	case len(allow.covering) > 0:
		until := earlier(allow.longest, deny.next)
		return look{allowed: true, reason: "allowed by " + listed(allow.covering), windows: allow.covering, until: until}
	case len(q.admits) == 0:
		return look{reason: fmt.Sprintf("%s allows it to %s", noneOf(names(q.allow)), q.by), windows: names(q.allow), until: farFuture}
	}
	return look{reason: "outside of " + listed(names(q.admits)), windows: names(q.admits), until: allow.next}
}

// weighed is what windows say of an instant.
type weighed struct {
	covering []string  // names of those that cover it
	longest  time.Time // up to which one of them covers, at least
	next     time.Time // before which nothing changes for any of them
}

func weigh(windows []Window, at time.Time) weighed {
	out := weighed{next: farFuture}
	for _, w := range windows {
		within, until := w.Period.covers(at)
		out.next = earlier(out.next, until)
		if within {
			out.covering = append(out.covering, w.Name)
			if until.After(out.longest) {
				out.longest = until
			}
		}
	}
	return out
}

func names(windows []Window) []string {
	out := make([]string, 0, len(windows))
	for _, w := range windows {
		out = append(out, w.Name)
	}
	return out
}

func listed(names []string) string { return strings.Join(names, ", ") }

func noneOf(names []string) string {
	if len(names) == 1 {
		return "not even " + names[0]
	}
	return "none of " + listed(names)
}
