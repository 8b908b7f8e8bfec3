package calendar

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	_ "time/tzdata" // the same zones on machines that have none
)

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// farFuture is when nothing is known to change.
var farFuture = time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC)

var zoneName = regexp.MustCompile(`^[A-Z][A-Za-z0-9_+-]*(/[A-Z][A-Za-z0-9_+-]*)*$`)

// Zone finds a time zone by its IANA name, such as Europe/Berlin or UTC. There is no zone of the machine: two workers would differ.
func Zone(name string) (*time.Location, error) {
	switch {
	case name == "":
		return nil, fmt.Errorf("the time zone is missing: write an IANA name such as Europe/Berlin, or UTC")
	case name == "Local" || name == "Factory" || !zoneName.MatchString(name):
		return nil, fmt.Errorf("%q is no time zone: write an IANA name such as Europe/Berlin, or UTC", name)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("there is no time zone %s: write an IANA name such as Europe/Berlin, or UTC", name)
	}
	return zone, nil
}

// wall is what clock and calendar on the wall show, as a time in UTC: so that it can be counted with.
func wall(at time.Time) time.Time { return around(at).shows(at) }

// stretch is a time in which the clock on the wall is not put forward or back.
type stretch struct {
	begin, end time.Time // instants; zero for ever
	offset     time.Duration
}

// around is the stretch in which an instant lies.
func around(at time.Time) stretch {
	begin, end := at.ZoneBounds()
	_, offset := at.Zone()
	return stretch{begin, end, time.Duration(offset) * time.Second}
}

// shows is what the wall shows at an instant, if the stretch goes on until then.
func (s stretch) shows(at time.Time) time.Time { return at.UTC().Add(s.offset) }

// reach is the instant at which the wall shows w, at the end of the stretch at the latest.
func (s stretch) reach(w time.Time) time.Time {
	at := w.Add(-s.offset)
	if s.end.IsZero() {
		return at
	}
	return earlier(at, s.end)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// Clock reads a time of day, such as 09:00, and 24:00 for the end of the day, as the time since midnight on the wall.
func Clock(text string) (time.Duration, error) {
	if text == "24:00" {
		return day, nil
	}
	t, err := time.Parse("15:04", text)
	if err != nil || len(text) != len("15:04") {
		return 0, fmt.Errorf("%q is no time of day from 00:00 to 24:00, such as 09:00", text)
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}

// Days reads weekdays and ranges of them, such as Mon-Fri, or Sat, Sun; no text is every day.
func Days(text string) (days [7]bool, err error) {
	if text == "" {
		return [7]bool{true, true, true, true, true, true, true}, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		first, last, ranged := strings.Cut(strings.TrimSpace(part), "-")
		if !ranged {
			last = first
		}
		from, to := weekday(first), weekday(last)
		if from < 0 || to < 0 {
			return days, fmt.Errorf("%q is no weekday or range of them: write Mon, Mon-Fri, or Sat,Sun", strings.TrimSpace(part))
		}
		for d := from; ; d = (d + 1) % 7 {
			days[d] = true
			if d == to {
				break
			}
		}
	}
	return days, nil
}

// weekday is -1 for what is none.
func weekday(name string) int {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if d.String()[:3] == name {
			return int(d)
		}
	}
	return -1
}
