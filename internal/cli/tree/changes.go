package tree

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
)

// Changes lists what has changed from one look at a run to the next, one line each: time, subject, phase, and what there
// is to say. Before may be the zero View: then it is all that there is, by the times at which it came to be so, in their order.
func Changes(before, after engine.View, now time.Time) []string {
	was := entries(before)
	all := ordered(after)
	first := before.Name == ""
	if first {
		all = inTheirOrder(all, after.Started)
	}
	var lines []string
	for _, e := range all {
		if old, known := was[e.subject]; known && old.text() == e.text() {
			continue
		}
		if e.quiet && was[e.subject].subject == "" {
			continue
		}
		at := now
		if first {
			at = e.at
		}
		line := fmt.Sprintf("%s %s %s", clockOf(at, now), e.subject, e.text())
		lines = append(lines, Printable(strings.TrimRight(line, " ")))
	}
	return lines
}

// clockOf writes the time of day, and the day too where it is not today.
func clockOf(at, now time.Time) string {
	const day, clock = "2006-01-02", "15:04:05"
	at, now = at.Local(), now.Local()
	if at.Format(day) != now.Format(day) {
		return at.Format(day + " " + clock)
	}
	return at.Format(clock)
}

// entry is one thing that a run says of itself.
type entry struct {
	subject string
	phase   api.Phase
	says    string
	at      time.Time // since when it is so; zero where that is not known
	quiet   bool      // not worth a line before it first changes
}

// inTheirOrder sorts entries by their times. One that has none came to be so with the one before it.
func inTheirOrder(all []entry, began time.Time) []entry {
	for i := range all {
		if all[i].at.IsZero() {
			all[i].at = began
		}
		began = all[i].at
	}
	slices.SortStableFunc(all, func(a, b entry) int { return a.at.Compare(b.at) })
	return all
}

func (e entry) text() string { return strings.TrimSpace(string(e.phase) + " " + e.says) }

func entries(v engine.View) map[string]entry {
	all := map[string]entry{}
	for _, e := range ordered(v) {
		all[e.subject] = e
	}
	return all
}

func ordered(v engine.View) []entry {
	if v.Name == "" {
		return nil
	}
	var all []entry
	for _, s := range v.Stages {
		says := plainWaits(s.Waiting)
		if s.Skipped != "" {
			says = "it " + s.Skipped
		}
		stage := entry{
			subject: "stage " + s.Name, phase: s.Phase, says: oneLine(says), at: stageSince(&s), quiet: s.Phase == api.PhasePending,
		}
		var units []entry
		for _, u := range s.Units {
			unit := entry{
				subject: u.Path, phase: u.Phase, says: oneLine(unitSays(&u)),
				at: since(u.Waiting, u.Started, u.Ended), quiet: u.Phase == api.PhasePending,
			}
			var batches []entry
			for _, b := range u.Batches {
				batches = append(batches, entry{subject: b.Path, phase: b.Phase, says: oneLine(batchSays(&u, &b)), at: since(nil, b.Started, b.Ended)})
			}
			units = append(units, with(unit, batches)...)
		}
		all = append(all, with(stage, units)...)
	}
	run := entry{subject: "run " + v.Name, phase: v.Phase, says: oneLine(plainWaits(v.Waiting)), at: since(v.Waiting, v.Started, v.Ended)}
	for i, b := range v.Bypasses {
		subject := oneLine("may pass " + b.Of + " by the word of " + b.By + ":")
		all = slices.Insert(all, i, entry{subject: subject, says: oneLine(b.Reason), at: b.At})
	}
	if v.Note != "" {
		all = slices.Insert(all, 0, entry{subject: "note:", says: oneLine(v.Note)})
	}
	return with(run, all)
}

// with puts a whole before its parts, or behind them where it has ended: that is its last word.
func with(whole entry, parts []entry) []entry {
	if whole.phase.Final() {
		return append(parts, whole)
	}
	return slices.Insert(parts, 0, whole)
}

// since is when something came to be as it is: when it ended, else since when it waits, else when it began.
func since(waiting *api.Waiting, started, ended time.Time) time.Time {
	switch {
	case !ended.IsZero():
		return ended
	case waiting != nil && !waiting.Since.IsZero():
		return waiting.Since
	}
	return started
}

// stageSince is the same for a stage, which keeps no times: it begins with its first unit and ends with its last.
func stageSince(s *api.StageStatus) time.Time {
	var first, last time.Time
	for _, u := range s.Units {
		if first.IsZero() || !u.Started.IsZero() && u.Started.Before(first) {
			first = u.Started
		}
		if u.Ended.After(last) {
			last = u.Ended
		}
	}
	if !s.Phase.Final() {
		last = time.Time{}
	}
	return since(s.Waiting, first, last)
}

// plainWaits leaves the times out: a line is printed when what is waited for changes, not when it was looked at again.
func plainWaits(w *api.Waiting) string {
	if w == nil {
		return ""
	}
	timeless := *w
	timeless.Since, timeless.Until = time.Time{}, time.Time{}
	return "waits for " + waits(&timeless, time.Time{})
}

func unitSays(u *api.UnitStatus) string {
	switch {
	case u.Failure != nil:
		return strings.TrimSpace("at " + u.FailedAt + " " + finding(u.Failure))
	case u.Phase == api.PhaseUnreachable, u.Phase.Stands(), u.Phase == api.PhaseWaiting, u.Phase == api.PhaseLocked:
		return plainWaits(u.Waiting)
	}
	return ""
}

func batchSays(u *api.UnitStatus, b *api.BatchStatus) string {
	if b.Skipped != "" {
		return b.Skipped
	}
	says := strings.TrimSpace(fmt.Sprintf("%s %d of %d", workload(u, b), b.Target, b.Total))
	if bad := badCheck(b.Checks); bad != nil {
		says += " " + finding(bad)
	}
	return says
}

// oneLine keeps what others wrote from breaking lines apart.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
