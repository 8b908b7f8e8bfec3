package tree

import (
	"fmt"
	"strings"
	"time"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/status"
)

// Changes lists what has changed from one look at a run to the next, one line each: time, subject, phase, and what there
// is to say. Before may be the zero View.
func Changes(before, after engine.View, now time.Time) []string {
	was := entries(before)
	var lines []string
	for _, e := range ordered(after) {
		if old, known := was[e.subject]; known && old.text() == e.text() {
			continue
		}
		if e.quiet && was[e.subject].subject == "" {
			continue
		}
		line := fmt.Sprintf("%s %s %s", now.Local().Format("15:04:05"), e.subject, e.text())
		lines = append(lines, Printable(strings.TrimRight(line, " ")))
	}
	return lines
}

// entry is one thing that a run says of itself.
type entry struct {
	subject string
	phase   status.Phase
	says    string
	quiet   bool // not worth a line before it first changes
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
	all := []entry{{subject: "run " + v.Name, phase: v.Phase, says: oneLine(plainWaits(v.Waiting))}}
	if v.Note != "" {
		all = append(all, entry{subject: "note:", says: oneLine(v.Note)})
	}
	for _, s := range v.Stages {
		says := plainWaits(s.Waiting)
		if s.Skipped != "" {
			says = "it " + s.Skipped
		}
		all = append(all, entry{subject: "stage " + s.Name, phase: s.Phase, says: oneLine(says), quiet: s.Phase == status.PhasePending})
		for _, u := range s.Units {
			all = append(all, entry{subject: u.Path, phase: u.Phase, says: oneLine(unitSays(&u)), quiet: u.Phase == status.PhasePending})
			for _, b := range u.Batches {
				all = append(all, entry{subject: b.Path, phase: b.Phase, says: oneLine(batchSays(&u, &b))})
			}
		}
	}
	return all
}

// plainWaits leaves the times out: a line is printed when what is waited for changes, not when it was looked at again.
func plainWaits(w *status.Waiting) string {
	if w == nil {
		return ""
	}
	timeless := *w
	timeless.Since, timeless.Until = time.Time{}, time.Time{}
	return "waits for " + waits(&timeless, time.Time{})
}

func unitSays(u *status.Unit) string {
	switch {
	case u.Failure != nil:
		return strings.TrimSpace("at " + u.FailedAt + " " + finding(u.Failure))
	case u.Phase == status.PhaseUnreachable, u.Phase == status.PhaseHeld, u.Phase == status.PhaseWaiting:
		return plainWaits(u.Waiting)
	}
	return ""
}

func batchSays(u *status.Unit, b *status.Batch) string {
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
