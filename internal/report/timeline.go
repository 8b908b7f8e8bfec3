package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
)

// Moment is something that happened.
type Moment struct {
	At    time.Time
	Until time.Time // of several that are told as one: the last of them
	What  string
	Kind  Kind
	order int // among moments of the same time: what a frame begins is before what it holds
}

// Kind is what a moment is about, for colours.
type Kind string

// The kinds of moments.
const (
	OfRun    Kind = "run"
	OfUnit   Kind = "unit"
	OfPerson Kind = "person"
	OfFreeze Kind = "freeze"
	OfTask   Kind = "task"
	Bad      Kind = "bad"
)

// Clock is when it was.
func (m Moment) Clock() string { return clock(m.At) }

// Span is until when it went on, where several are told as one.
func (m Moment) Span() string {
	if m.Until.IsZero() || m.Until.Equal(m.At) {
		return ""
	}
	return "until " + clock(m.Until)
}

// timeline is what happened, the oldest first. Where there is too much of it, batches that went well are left out first; then units
// that went the same way are told as one.
func timeline(f Facts) ([]Moment, string) {
	frame := slices.Concat(ofRun(&f.Run), ofTasks(&f.Run), ofPeople(f), ofFreezes(f))
	room := max(maxMoments-len(frame), maxMoments/4)
	told, note := ofUnits(f, true), ""
	if len(told) > room {
		told, note = ofUnits(f, false), "batches that went well are left out"
	}
	if len(told) > room {
		told, note = grouped(f, room), "clusters that went the same way are told as one"
	}
	all := slices.Concat(frame, told)
	all = slices.DeleteFunc(all, func(m Moment) bool { return m.At.IsZero() })
	slices.SortStableFunc(all, func(a, b Moment) int { return cmp.Or(a.At.Compare(b.At), a.order-b.order) })
	if more := len(all) - 2*maxMoments; more > 0 {
		// The beginning and the end are told.
		all = slices.Concat(all[:maxMoments], all[len(all)-maxMoments:])
		note = fmt.Sprintf("%d moments in the middle are left out", more)
	}
	return all, note
}

func ofRun(r *api.RunStatus) []Moment {
	began := r.Name + " started by " + r.By
	if r.Reason != "" {
		began += ": " + r.Reason
	}
	all := []Moment{{At: r.Started, Kind: OfRun, What: said(began), order: -2}}
	for i := range r.Stages {
		s := &r.Stages[i]
		var from, to time.Time
		open := false
		for j := range s.Units {
			u := &s.Units[j]
			if !u.Started.IsZero() && (from.IsZero() || u.Started.Before(from)) {
				from = u.Started
			}
			if u.Ended.After(to) {
				to = u.Ended
			}
			open = open || !u.Phase.Final()
		}
		all = append(all, Moment{At: from, Kind: OfRun, What: said("stage " + s.Name + " began"), order: -1})
		if !open {
			all = append(all, Moment{At: to, Kind: OfRun, What: said(fmt.Sprintf("stage %s ended: %s", s.Name, s.Phase)), order: 1})
		}
	}
	if w := r.WaitsFor(); w != nil && !r.Phase.Final() {
		all = append(all, Moment{At: w.Since, Kind: Bad, What: said(fmt.Sprintf("since then it waits for %s %s", w.Kind, w.Name))})
	}
	return append(all, Moment{At: r.Ended, Kind: kindOf(r.Phase, OfRun), What: said(fmt.Sprintf("%s ended: %s", r.Name, r.Phase)), order: 2})
}

// kindOf is how a phase is to be looked at.
func kindOf(p api.Phase, fine Kind) Kind {
	switch p {
	case api.PhaseFailed, api.PhaseRolledBack, api.PhaseAborted, api.PhaseMissed:
		return Bad
	}
	return fine
}

func ofTasks(r *api.RunStatus) []Moment {
	var all []Moment
	for i := range r.Tasks {
		if i == maxMoments/4 {
			break
		}
		t := &r.Tasks[i]
		ended := fmt.Sprintf("task %s ended: %s", t.Label(), cmp.Or(t.Reason, string(t.Phase)))
		all = append(all, Moment{At: t.Started, Kind: OfTask, What: said("task " + t.Label() + " began")},
			Moment{At: t.Ended, Kind: kindOf(t.Phase, OfTask), What: said(ended)})
	}
	return all
}

func ofPeople(f Facts) []Moment {
	var all []Moment
	for _, d := range f.Deeds[:min(len(f.Deeds), maxMoments/2)] {
		if d.Command == "run" {
			continue // that it started is said
		}
		all = append(all, Moment{At: d.At, Kind: OfPerson, What: d.String()})
	}
	return all
}

// String says who did what.
func (d Deed) String() string {
	text := d.Who + ": " + d.Command
	if d.Scope != "" {
		text += " " + d.Scope
	}
	if d.Reason != "" {
		text += " (" + d.Reason + ")"
	}
	if d.Outcome != "" && d.Outcome != "accepted" {
		text += "; " + d.Outcome
	}
	return said(text)
}

func ofFreezes(f Facts) []Moment {
	var all []Moment
	for _, z := range f.Freezes[:min(len(f.Freezes), maxMoments/8)] {
		holds := fmt.Sprintf("%s holds %s (%s), by %s: %s", z.Name, z.Scope, z.InFlight, z.By, z.Reason)
		all = append(all, Moment{At: z.Since, Kind: OfFreeze, What: said(holds)})
		if !z.Lifted.IsZero() {
			lifted := fmt.Sprintf("%s lifted by %s: %s", z.Name, z.LiftedBy, z.LiftReason)
			all = append(all, Moment{At: z.Lifted, Kind: OfFreeze, What: said(lifted)})
		}
	}
	return all
}

// ofUnits tells of each unit for itself.
func ofUnits(f Facts, wholly bool) []Moment {
	var all []Moment
	for _, u := range units(&f.Run) {
		all = append(all, ofUnit(f, u, wholly)...)
	}
	return all
}

func ofUnit(f Facts, u *api.UnitStatus, wholly bool) []Moment {
	var all []Moment
	add := func(at time.Time, kind Kind, format string, args ...any) {
		all = append(all, Moment{At: at, Kind: kind, What: said(u.Path + " " + fmt.Sprintf(format, args...))})
	}
	before, wentBack := f.Before[u.Path]
	if wentBack {
		add(before.Started, OfUnit, "began")
		add(before.Ended, kindOf(before.Phase, OfUnit), "ended: %s", before.Phase)
		add(u.Started, Bad, "began to go back")
	} else {
		add(u.Started, OfUnit, "began")
	}
	for _, b := range forward(f, u) {
		bad, is := plan.FirstBad(b.Checks)
		at := b.Ended
		if at.IsZero() && is {
			at = b.Started
		}
		switch {
		case is:
			add(at, Bad, "%s, batch %d: %s", b.NodeSet, b.Number, found(bad))
		case b.Borne != "":
			add(at, Bad, "%s, batch %d: %s", b.NodeSet, b.Number, b.Borne)
		case wholly && b.Skipped == "":
			add(at, OfUnit, "%s, batch %d: %d of %d pods updated (%s)", b.NodeSet, b.Number, b.Updated, b.Total, b.Phase)
		}
	}
	told := ""
	switch {
	case u.Cause != nil:
		told = ", for " + found(*u.Cause)
	case u.Failure != nil:
		told = ", by " + found(*u.Failure)
	case u.Ending != nil && u.Ending.Reason != "":
		told = ", by " + u.Ending.By + ": " + u.Ending.Reason
	}
	if u.Phase.Final() {
		add(u.Ended, kindOf(u.Phase, OfUnit), "ended: %s%s", u.Phase, told)
	}
	return all
}

// forward are the batches by which a unit moved on, and not those by which it went back.
func forward(f Facts, u *api.UnitStatus) []api.BatchStatus {
	if before, wentBack := f.Before[u.Path]; wentBack {
		return before.Batches
	}
	return u.Batches
}

// grouped tells of units that went the same way as of one, and of as many of the others for themselves as there is room for.
func grouped(f Facts, room int) []Moment {
	type way struct {
		stage string
		phase api.Phase
	}
	type span struct {
		from, to time.Time
		n        int
	}
	var ways []way
	by := map[way]*span{}
	var all []Moment
	for _, u := range units(&f.Run) {
		if u.Failure != nil || u.Cause != nil || u.FailedBatches > 0 {
			if own := ofUnit(f, u, false); len(all)+len(own) <= room/2 {
				all = append(all, own...)
				continue
			}
		}
		w := way{u.Stage, u.Phase}
		g := by[w]
		if g == nil {
			g = &span{}
			by[w], ways = g, append(ways, w)
		}
		g.n++
		at := u.Ended
		if at.IsZero() {
			at = u.Started
		}
		if at.IsZero() {
			continue
		}
		if g.from.IsZero() || at.Before(g.from) {
			g.from = at
		}
		if at.After(g.to) {
			g.to = at
		}
	}
	for _, w := range ways[:min(len(ways), room/2)] {
		g := by[w]
		verb := "are"
		if w.phase.Final() {
			verb = "ended:"
		}
		all = append(all, Moment{
			At: g.from, Until: g.to, Kind: kindOf(w.phase, OfUnit),
			What: said(fmt.Sprintf("%s of stage %s %s %s", api.Counted(g.n, "cluster"), w.stage, verb, w.phase)),
		})
	}
	return all
}
