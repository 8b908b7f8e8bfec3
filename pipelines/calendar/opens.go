package calendar

import (
	"slices"
	"time"
)

// Bounds on the search of Opens: five years have a 29th of February among them.
const opensWithin = 5 * 366 * day

func opensFrom() time.Time { return time.Date(2025, time.January, 1, 0, 0, 0, 0, time.UTC) }

// Opens reports whether an action by an invoker is ever allowed, in any year: weekdays and schedules are the same in all of them.
// Days with a date keep nothing closed for ever. It is true where that cannot be told within bounds.
func (c *Calendar) Opens(a Action, by Invoker) bool {
	undated := &Calendar{zone: c.zone, allow: c.allow}
	for _, w := range c.deny {
		if !dated(w.Period) {
			undated.deny = append(undated.deny, w)
		}
	}
	if slices.ContainsFunc(c.about(a, by).admits, func(w Window) bool { return dated(w.Period) }) {
		return true
	}
	from := opensFrom()
	got := undated.ask(from, a, by, opensWithin)
	return got.Allowed || !got.Until.IsZero() || got.Searched.Before(from.Add(opensWithin))
}

// Ever reports whether a period covers any time, in any year. Days with a date do.
func Ever(p Period) bool {
	return New(time.UTC, []Window{{Period: p}}, nil).Opens(Advance, Person)
}

func dated(p Period) bool {
	switch p := p.(type) {
	case dates:
		return true
	case anyOf:
		return slices.ContainsFunc(p, dated)
	}
	return false
}
