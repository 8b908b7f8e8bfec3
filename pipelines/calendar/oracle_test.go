package calendar_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice.dev/sluice/pipelines/calendar"
)

// The oracle knows nothing of stretches and edges: it looks at the clock on the wall every minute.

// ruled is a window as the oracle reads it, and the same as the calendar does.
type ruled struct {
	calendar.Window
	covers func(at time.Time) bool // at a whole minute, in the zone
}

// zones have their clocks put forward at one, two, three and at midnight, by an hour, by half of one and by two, in both hemispheres;
// one left a day out, one has no half hours, some have given it up.
func zones() []string {
	return []string{
		"Europe/Berlin", "Europe/Dublin", "America/New_York", "America/Santiago", "America/Havana", "America/Sao_Paulo", "America/St_Johns",
		"Australia/Lord_Howe", "Australia/Sydney", "Pacific/Apia", "Pacific/Chatham", "Asia/Kolkata", "Asia/Kathmandu", "Asia/Beirut",
		"Africa/Cairo", "Africa/Casablanca", "Antarctica/Troll", "America/Godthab", "Asia/Pyongyang", "UTC",
	}
}

// turns are the instants between two years at which the clock of a zone is put forward or back.
func turns(zone *time.Location, from, to int) (out []time.Time) {
	at := time.Date(from, time.January, 1, 0, 0, 0, 0, time.UTC).In(zone)
	for {
		_, end := at.ZoneBounds()
		if end.IsZero() || end.Year() >= to {
			return out
		}
		out = append(out, end)
		at = end.In(zone)
	}
}

func drawInstant(t *rapid.T, zone *time.Location) time.Time {
	at := time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 1_000_000).Draw(t, "minute")) * time.Minute)
	if all := turns(zone, 2009, 2030); len(all) > 0 && rapid.IntRange(0, 4).Draw(t, "near a turn") > 0 {
		at = rapid.SampledFrom(all).Draw(t, "turn").Add(time.Duration(rapid.IntRange(-3000, 1500).Draw(t, "minutes after")) * time.Minute)
	}
	return at.In(zone)
}

func drawWindow(t *rapid.T, zone *time.Location, near time.Time, name string) ruled {
	w := ruled{}
	switch rapid.SampledFrom([]string{"weekly", "cron", "dates"}).Draw(t, "form") {
	case "weekly":
		w = drawWeekly(t)
	case "cron":
		w = drawCron(t, near)
	case "dates":
		w = drawDates(t, near)
	}
	w.Name = name
	if rapid.IntRange(0, 3).Draw(t, "of all actions") > 0 {
		return w
	}
	w.Actions = rapid.SliceOfNDistinct(rapid.SampledFrom(calendar.Actions()), 0, 3, rapid.ID).Draw(t, "actions")
	w.Invokers = rapid.SliceOfNDistinct(rapid.SampledFrom(calendar.Invokers()), 0, 2, rapid.ID).Draw(t, "invokers")
	return w
}

func drawWeekly(t *rapid.T) ruled {
	on := rapid.SliceOfNDistinct(rapid.IntRange(0, 6), 1, 7, rapid.ID).Draw(t, "days")
	var days []string
	for _, d := range on {
		days = append(days, time.Weekday(d).String()[:3])
	}
	from := rapid.IntRange(0, 24*60-1).Draw(t, "from")
	to := rapid.IntRange(0, 24*60).Filter(func(m int) bool { return m != from }).Draw(t, "to")
	clock := func(m int) string { return fmt.Sprintf("%02d:%02d", m/60, m%60) }
	p, err := calendar.Weekly(strings.Join(days, ","), clock(from), clock(to))
	if err != nil {
		t.Fatal(err)
	}
	return ruled{calendar.Window{Period: p}, func(at time.Time) bool {
		m, today := at.Hour()*60+at.Minute(), int(at.Weekday())
		if from < to {
			return slices.Contains(on, today) && from <= m && m < to
		}
		return slices.Contains(on, today) && m >= from || slices.Contains(on, (today+6)%7) && m < to
	}}
}

func drawCron(t *rapid.T, near time.Time) ruled {
	minutes := rapid.SliceOfNDistinct(rapid.IntRange(0, 59), 1, 3, rapid.ID).Draw(t, "minutes")
	hours := rapid.SliceOfNDistinct(rapid.IntRange(0, 23), 1, 8, rapid.ID).Draw(t, "hours")
	field := func(values []int) string {
		return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(values)), ","), "[]")
	}
	spec := []string{field(minutes), field(hours), "*", "*", "*"}
	named := func(w time.Time) bool {
		return slices.Contains(minutes, w.Minute()) && slices.Contains(hours, w.Hour())
	}
	switch rapid.IntRange(0, 3).Draw(t, "days of cron") {
	case 1:
		on := rapid.SliceOfNDistinct(rapid.IntRange(0, 6), 1, 4, rapid.ID).Draw(t, "weekdays")
		spec[4] = field(on)
		of := named
		named = func(w time.Time) bool { return of(w) && slices.Contains(on, int(w.Weekday())) }
	case 2:
		spec[2], spec[4] = fmt.Sprint(near.Day()), "5"
		of := named
		named = func(w time.Time) bool { return of(w) && (w.Day() == near.Day() || w.Weekday() == time.Friday) }
	case 3:
		spec[3] = fmt.Sprint(int(near.Month()))
		of := named
		named = func(w time.Time) bool { return of(w) && w.Month() == near.Month() }
	}
	lasts := rapid.SampledFrom([]int{1, 7, 30, 60, 90, 8 * 60, 26 * 60, 60 * 60}).Draw(t, "lasts")
	p, err := calendar.Cron(strings.Join(spec, " "), time.Duration(lasts)*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return ruled{calendar.Window{Period: p}, func(at time.Time) bool {
		for m := range lasts {
			if begins(at.Add(-time.Duration(m)*time.Minute), named) {
				return true
			}
		}
		return false
	}}
}

// begins reports whether what the wall shows at an instant is named, or anything that it would have shown since the minute before.
func begins(at time.Time, named func(time.Time) bool) bool {
	naive := func(t time.Time) time.Time {
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), 0, 0, time.UTC)
	}
	if named(naive(at)) {
		return true
	}
	now, before := naive(at), naive(at.Add(-time.Minute))
	if now.Sub(before) >= 24*time.Hour {
		return false
	}
	for w := before.Add(time.Minute); w.Before(now); w = w.Add(time.Minute) {
		if named(w) {
			return true
		}
	}
	return false
}

func drawDates(t *rapid.T, near time.Time) ruled {
	first := near.AddDate(0, 0, rapid.IntRange(-3, 3).Draw(t, "first")).Format(time.DateOnly)
	last := near.AddDate(0, 0, rapid.IntRange(3, 4).Draw(t, "last")).Format(time.DateOnly)
	p, err := calendar.Dates(first, last)
	if err != nil {
		t.Fatal(err)
	}
	return ruled{calendar.Window{Period: p}, func(at time.Time) bool {
		today := at.Format(time.DateOnly)
		return first <= today && today <= last
	}}
}

// allowed is the rule of windows, once more.
func allowed(allow, deny []ruled, at time.Time, a calendar.Action, by calendar.Invoker) bool {
	speaks := func(w ruled) bool {
		forward := a == calendar.Start || a == calendar.Advance || a == calendar.Resume
		return len(w.Actions) == 0 && forward || slices.Contains(w.Actions, a)
	}
	concerns := func(w ruled) bool { return len(w.Invokers) == 0 || slices.Contains(w.Invokers, by) }
	for _, w := range deny {
		if speaks(w) && concerns(w) && w.covers(at) {
			return false
		}
	}
	free := true
	for _, w := range allow {
		if !speaks(w) {
			continue
		}
		if free = false; concerns(w) && w.covers(at) {
			return true
		}
	}
	return free
}

func windows(of []ruled) (out []calendar.Window) {
	for _, w := range of {
		out = append(out, w.Window)
	}
	return out
}

// scanned is how many minutes the oracle looks ahead: a day and a half.
const scanned = 36 * 60

func TestAnswersAreThoseOfALookAtEveryMinute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone, err := calendar.Zone(rapid.SampledFrom(zones()).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		at := drawInstant(t, zone)
		var allow, deny []ruled
		for i := range rapid.IntRange(0, 2).Draw(t, "allow") {
			allow = append(allow, drawWindow(t, zone, at, fmt.Sprintf("allow-%d", i)))
		}
		for i := range rapid.IntRange(0, 2).Draw(t, "deny") {
			deny = append(deny, drawWindow(t, zone, at, fmt.Sprintf("deny-%d", i)))
		}
		a := rapid.SampledFrom(calendar.Actions()).Draw(t, "action")
		by := rapid.SampledFrom(calendar.Invokers()).Draw(t, "invoker")

		got := calendar.New(zone, windows(allow), windows(deny)).Ask(at, a, by)
		if want := allowed(allow, deny, at, a, by); got.Allowed != want {
			t.Fatalf("at %s it is allowed: %v, and looking says %v (%s)", at, got.Allowed, want, got)
		}
		for m := 1; m <= scanned; m++ {
			then := at.Add(time.Duration(m) * time.Minute)
			if allowed(allow, deny, then, a, by) != got.Allowed {
				if !got.Until.Equal(then) {
					t.Fatalf("asked at %s, it changes at %s, and looking says %s", at, got.Until, then)
				}
				return
			}
		}
		if last := at.Add(scanned * time.Minute); !got.Until.IsZero() && !got.Until.After(last) {
			t.Fatalf("asked at %s, it changes at %s, and looking says not before %s", at, got.Until, last)
		}
	})
}
