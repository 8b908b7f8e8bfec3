package calendar

import (
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// MaxDuration is how long a window that opens by a schedule may stay open.
const MaxDuration = 31 * day

// scheduled is a time after each of the minutes that a cron expression names.
type scheduled struct {
	minute, hour, month, monthday, weekday uint64 // a bit for each value
	eitherDay                              bool   // monthday and weekday are both restricted: one is enough, as in every cron
	lasts                                  time.Duration
}

// Cron is the period that begins at each minute that a cron expression of five fields names on the wall, and lasts for a time that
// passes: eight hours are eight hours in the night in which the clock is put forward too. What begins in an hour that the clock leaves
// out begins as it is put forward, and what begins in one that it shows twice begins twice; a whole day that a zone leaves out has no
// beginnings.
func Cron(expression string, lasts time.Duration) (Period, error) {
	// The parser would also read a zone, descriptors and seconds; a letter more and its zone panics.
	if len(strings.Fields(expression)) != 5 || strings.ContainsAny(expression, "@=") {
		return nil, fmt.Errorf("%q is no cron expression: write five fields: minute, hour, day of month, month, day of week", expression)
	}
	parsed, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(expression)
	if err != nil {
		return nil, fmt.Errorf("%q is no cron expression: %w", expression, err)
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, fmt.Errorf("%q is no cron expression of five fields", expression)
	}
	if lasts < time.Minute || lasts > MaxDuration {
		return nil, fmt.Errorf("a window lasts from 1m to %dd", MaxDuration/day)
	}
	const anyValue = 1 << 63 // how the parser marks a star
	return scheduled{
		minute: spec.Minute, hour: spec.Hour, month: spec.Month, monthday: spec.Dom, weekday: spec.Dow,
		eitherDay: spec.Dom&anyValue == 0 && spec.Dow&anyValue == 0,
		lasts:     lasts,
	}, nil
}

func (s scheduled) covers(at time.Time) (within bool, until time.Time) {
	if begun, ok := s.last(at); ok {
		return true, begun.Add(s.lasts)
	}
	return false, s.next(at)
}

// next is the first beginning after an instant, or an instant a Horizon after it where there is none before.
func (s scheduled) next(at time.Time) time.Time {
	limit := at.Add(Horizon)
	here, seek := around(at), wall(at).Add(1)
	for {
		end := limit
		if !here.end.IsZero() {
			end = earlier(limit, here.end)
		}
		if w, ok := s.forward(seek, here.shows(end)); ok {
			return w.Add(-here.offset)
		}
		if end.Equal(limit) {
			return limit
		}
		turn := end.In(at.Location())
		if s.leftOut(turn) {
			return turn
		}
		here, seek = around(turn), wall(turn)
	}
}

// last is the latest beginning, at an instant or before, that still lasts then.
func (s scheduled) last(at time.Time) (time.Time, bool) {
	over := at.Add(-s.lasts) // what began then, or before, is over
	for from := at; from.After(over); {
		here := around(from)
		whole := here.begin.IsZero() || !here.begin.After(over)
		begin := here.begin
		if whole {
			begin = over.Add(1)
		}
		if w, ok := s.backward(here.shows(from), here.shows(begin)); ok {
			return w.Add(-here.offset), true
		}
		if whole {
			return time.Time{}, false
		}
		turn := here.begin.In(at.Location())
		if s.leftOut(turn) {
			return turn, true
		}
		from = turn.Add(-1)
	}
	return time.Time{}, false
}

// leftOut reports whether the clock, as it is put forward at an instant, leaves out a minute that the schedule names.
func (s scheduled) leftOut(turn time.Time) bool {
	before, after := around(turn.Add(-1)), around(turn)
	if gap := after.offset - before.offset; gap <= 0 || gap >= day {
		return false
	}
	_, ok := s.forward(before.shows(turn), after.shows(turn))
	return ok
}

// forward is the first minute on the wall that the schedule names, from w on and before end.
func (s scheduled) forward(w, end time.Time) (time.Time, bool) {
	w = ceil(w, time.Minute)
	for w.Before(end) {
		switch {
		case !s.onDay(w):
			w = ceil(w.Add(1), day)
		case s.hour&(1<<w.Hour()) == 0:
			w = ceil(w.Add(1), time.Hour)
		case s.minute&(1<<w.Minute()) == 0:
			w = w.Add(time.Minute)
		default:
			return w, true
		}
	}
	return w, false
}

// backward is the last minute on the wall that the schedule names, at w or before, and not before begin.
func (s scheduled) backward(w, begin time.Time) (time.Time, bool) {
	w = w.Truncate(time.Minute)
	for !w.Before(begin) {
		switch {
		case !s.onDay(w):
			w = w.Truncate(day).Add(-time.Minute)
		case s.hour&(1<<w.Hour()) == 0:
			w = w.Truncate(time.Hour).Add(-time.Minute)
		case s.minute&(1<<w.Minute()) == 0:
			w = w.Add(-time.Minute)
		default:
			return w, true
		}
	}
	return w, false
}

func (s scheduled) onDay(w time.Time) bool {
	if s.month&(1<<w.Month()) == 0 {
		return false
	}
	inMonth, inWeek := s.monthday&(1<<w.Day()) != 0, s.weekday&(1<<w.Weekday()) != 0
	if s.eitherDay {
		return inMonth || inWeek
	}
	return inMonth && inWeek
}

func ceil(w time.Time, unit time.Duration) time.Time {
	if down := w.Truncate(unit); !down.Equal(w) {
		return down.Add(unit)
	}
	return w
}

// Beginnings are the shortest and the longest time between two minutes that a cron expression names, of the first so many from the
// beginning of 2025 on, by a clock that is never put forward. An expression that names no minute within five years is an error.
func Beginnings(expression string, most int) (shortest, longest time.Duration, err error) {
	p, err := Cron(expression, time.Minute)
	if err != nil {
		return 0, 0, err
	}
	s := p.(scheduled)
	at := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).Add(-1)
	var last time.Time
	for range most {
		next, ok := s.forward(at.Add(1), at.AddDate(5, 0, 0))
		if !ok {
			break
		}
		if !last.IsZero() {
			gap := next.Sub(last)
			longest = max(longest, gap)
			if shortest == 0 || gap < shortest {
				shortest = gap
			}
		}
		last, at = next, next
	}
	switch {
	case last.IsZero():
		return 0, 0, fmt.Errorf("%q names no minute that comes within five years", expression)
	case shortest == 0: // one alone
		shortest, longest = 5*365*day, 5*365*day
	}
	return shortest, longest, nil
}
