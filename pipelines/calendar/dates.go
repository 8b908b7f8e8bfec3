package calendar

import (
	"fmt"
	"time"
)

// dates are whole days on the wall.
type dates struct{ first, after time.Time } // as wall gives them: the first midnight within, and the first that is not

// Dates is the period of whole days from one date to another, the last one included, such as 2026-12-24 and 2026-12-26. No last is the
// first day alone.
func Dates(first, last string) (Period, error) {
	from, err := date(first)
	if err != nil {
		return nil, err
	}
	to := from
	if last != "" {
		if to, err = date(last); err != nil {
			return nil, err
		}
	}
	if to.Before(from) {
		return nil, fmt.Errorf("%s is before %s", last, first)
	}
	return dates{from, to.AddDate(0, 0, 1)}, nil
}

func date(text string) (time.Time, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return t, fmt.Errorf("%q is no date such as 2026-12-25", text)
	}
	return t, nil
}

func (d dates) covers(at time.Time) (within bool, until time.Time) {
	shows, s := wall(at), around(at)
	switch {
	case shows.Before(d.first):
		return false, s.reach(d.first)
	case shows.Before(d.after):
		return true, s.reach(d.after)
	}
	return false, s.reach(farFuture)
}

// Any is the period in which any of others is.
func Any(of ...Period) Period { return anyOf(of) }

type anyOf []Period

func (a anyOf) covers(at time.Time) (within bool, until time.Time) {
	until = farFuture
	var longest time.Time
	for _, p := range a {
		in, to := p.covers(at)
		until = earlier(until, to)
		if in && to.After(longest) {
			within, longest = true, to
		}
	}
	if within {
		return true, longest
	}
	return false, until
}
