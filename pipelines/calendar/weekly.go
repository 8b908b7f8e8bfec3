package calendar

import (
	"fmt"
	"time"
)

// weekly is hours of the week, as pieces of the week on the wall, counted from Sunday 00:00.
type weekly struct{ pieces []piece }

type piece struct{ from, to time.Duration }

// Weekly is the period from one time of day to another on weekdays: every instant at which the wall shows such a time. Days is as in
// the function Days, from and to as in Clock; neither is the whole day. Where from is after to, the period ends on the day after.
func Weekly(days, from, to string) (Period, error) {
	on, err := Days(days)
	if err != nil {
		return nil, err
	}
	if from == "" && to == "" {
		from, to = "00:00", "24:00"
	}
	if from == "" || to == "" {
		return nil, fmt.Errorf("from and to go together: leave both out for the whole day")
	}
	begin, err := Clock(from)
	if err != nil {
		return nil, err
	}
	end, err := Clock(to)
	if err != nil {
		return nil, err
	}
	switch {
	case begin == day:
		return nil, fmt.Errorf("from: 24:00 is the end of the day: write 00:00 of the next")
	case begin == end:
		return nil, fmt.Errorf("from and to are both %s: leave both out for the whole day", from)
	case begin > end:
		end += day
	}
	var w weekly
	for d, yes := range on {
		if !yes {
			continue
		}
		midnight := time.Duration(d) * day
		p := piece{midnight + begin, midnight + end}
		if p.to > week {
			w.pieces = append(w.pieces, piece{0, p.to - week})
			p.to = week
		}
		w.pieces = append(w.pieces, p)
	}
	return w, nil
}

func (w weekly) covers(at time.Time) (within bool, until time.Time) {
	shows := wall(at)
	sunday := time.Date(shows.Year(), shows.Month(), shows.Day()-int(shows.Weekday()), 0, 0, 0, 0, time.UTC)
	now := shows.Sub(sunday)
	next := week
	for _, p := range w.pieces {
		if p.from <= now && now < p.to {
			within = true
		}
		for _, edge := range []time.Duration{p.from, p.to} {
			if edge > now {
				next = min(next, edge)
			}
		}
	}
	return within, around(at).reach(sunday.Add(next))
}
