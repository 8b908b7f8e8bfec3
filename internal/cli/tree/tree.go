// Package tree draws where a run is, as a tree of stages, units and batches: for a terminal with bars and colours, or as
// plain text. It is given everything, the time too, and asks nobody.
package tree

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/origin"
)

// Input is what a tree is drawn from.
type Input struct {
	View   engine.View
	Scales map[string]engine.Scale // by cluster; what is missing is not estimated
	Soaks  map[string]engine.Soaks // by stage
	Now    time.Time
	UI     string // address of the run in the Temporal UI; "" where it is not known
}

// Options say how a tree is drawn.
type Options struct {
	Width  int  // columns; 0 is as wide as it gets
	Height int  // lines; 0 is as many as there are
	Color  bool // ANSI colours
	Bars   bool // bars of block characters, else of ASCII
}

// Draw returns the lines of a run's tree.
func Draw(in Input, o Options) []string {
	d := &drawer{in: in, o: o, pace: paceOf(in)}
	rows := d.head()
	rows = append(rows, row{})
	rows = append(rows, d.tasks(false)...)
	for i := range in.View.Stages {
		rows = append(rows, d.stage(&in.View.Stages[i])...)
	}
	rows = append(rows, d.tasks(true)...)
	rows = append(rows, d.results()...)
	rows = fit(rows, o.Height)
	return d.lay(rows)
}

// drawer draws one tree.
type drawer struct {
	in   Input
	o    Options
	pace pace
}

// row is a line before its columns are aligned.
type row struct {
	indent int
	mark   string
	name   string
	cells  [4]string // bar, phase, times, what is to be said
	phase  api.Phase
	free   bool // not in columns
	rank   int  // how soon it goes when lines are scarce
}

func (d *drawer) head() []row {
	v := &d.in.View
	about := func(format string, args ...any) row {
		return row{free: true, rank: rankAbout, name: oneLine(fmt.Sprintf(format, args...))}
	}
	title := fmt.Sprintf("%s: %s %s by pipeline %s", v.Name, v.Subject, v.Version, v.Pipeline)
	if v.Back != "" {
		title = fmt.Sprintf("%s: takes back %s (%s %s)", v.Name, v.Back, v.Subject, v.Version)
	}
	times := elapsed(v.Started, v.Ended, d.in.Now)
	if left := d.pace.left; left > 0 && !v.Phase.Final() {
		times += ", about " + short(left) + " left"
	}
	rows := []row{
		{free: true, name: title, phase: v.Phase},
		{free: true, name: fmt.Sprintf("%s, %d%% of the units have ended, %s", v.Phase, v.Percent, times)},
	}
	from := ""
	if o := origin.Text(v.Origin); o != "" {
		from = " from " + o
	}
	rows = append(rows, about("plan %.12s%s", v.Plan, from), about("started by %s%s", v.By, because(v.Reason)))
	if v.Retry != "" {
		rows = append(rows, about("tries again what %s left", v.Retry))
	}
	if v.Phase.Final() && v.Ending != nil {
		ending := fmt.Sprintf("%s by %s%s", v.Phase, v.Ending.By, because(v.Ending.Reason))
		rows = append(rows, row{free: true, name: oneLine(ending), phase: v.Phase})
	}
	if left := v.LeftOut(); len(left) > 0 {
		rows = append(rows, row{free: true, name: "in part: " + api.Counted(len(left), "unit") + " left out", phase: api.PhaseSkipped})
	}
	if d.in.UI != "" {
		rows = append(rows, about("%s", d.in.UI))
	}
	if w := waits(v.WaitsFor(), d.in.Now); w != "" {
		rows = append(rows, row{free: true, name: oneLine("waits for " + w), phase: api.PhaseWaiting})
	}
	for _, b := range v.Bypasses {
		rows = append(rows, row{free: true, name: oneLine("may pass " + b.String())})
	}
	for _, o := range v.Orders {
		rows = append(rows, row{free: true, name: oneLine("order stands: " + o.String()), phase: api.PhaseWaiting})
	}
	if v.Note != "" {
		rows = append(rows, row{free: true, name: oneLine("note: " + v.Note), phase: api.PhaseUnreachable})
	}
	return rows
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// waits says in a few words what something waits for; "" for nothing.
func waits(w *api.Waiting, now time.Time) string {
	if w == nil {
		return ""
	}
	words := strings.TrimSpace(string(w.Kind) + " " + w.Name)
	if len(w.Unmet) > 0 {
		words = strings.TrimPrefix(words+": "+w.Unmet[0], ": ")
	}
	if !w.Since.IsZero() {
		words += " since " + clock(w.Since, now)
	}
	if !w.Until.IsZero() {
		words += " until " + clock(w.Until, now)
	}
	return words
}

// clock writes a time, with its day where that is not today.
func clock(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}

func (d *drawer) stage(s *api.StageStatus) []row {
	head := row{mark: d.mark(s.Phase), name: s.Name, phase: s.Phase, cells: [4]string{"", string(s.Phase), "", waits(s.Waiting, d.in.Now)}}
	if s.Skipped != "" {
		head.cells[3], head.rank = "it "+s.Skipped, rankNothing
	}
	if v := s.Rejected; v != nil {
		head.cells[3] = "rejected by " + v.Who + because(v.Reason)
	}
	if bad := badCheck(s.Checks); bad != nil && head.cells[3] == "" {
		head.cells[3] = finding(bad)
	}
	rows := []row{head}
	for i := range s.Units {
		rows = append(rows, d.unit(&s.Units[i])...)
	}
	return rows
}

func (d *drawer) unit(u *api.UnitStatus) []row {
	head := row{indent: 1, mark: d.mark(u.Phase), name: u.Path, phase: u.Phase, rank: rank(u)}
	head.cells = [4]string{d.unitBar(u), string(u.Phase), elapsed(u.Started, u.Ended, d.in.Now), d.says(u)}
	if left := d.pace.units[u.Cluster]; left > 0 {
		head.cells[2] += ", about " + short(left) + " left"
	}
	rows := []row{head}
	if u.Phase == api.PhaseSucceeded || u.Phase == api.PhasePending {
		return rows
	}
	for i := range u.Batches {
		rows = append(rows, d.batch(u, &u.Batches[i]))
	}
	rows = append(rows, d.suspects(u)...)
	if u.Phase.Final() && len(u.Kept) > 0 {
		rows = append(rows, row{
			indent: 2, mark: " ", name: "stays", phase: u.Phase, rank: rankEnded,
			cells: [4]string{3: strings.Join(u.Kept, "; ")},
		})
	}
	return rows
}

// says is what has to be said about a unit: what stopped it, else what it waits for; how many of its batches failed without that; and
// which nodes of it are dead.
func (d *drawer) says(u *api.UnitStatus) string {
	said := []string{d.stands(u), borne(u), behind(u)}
	return strings.Join(slices.DeleteFunc(said, func(text string) bool { return text == "" }), "; ")
}

// borne is how many batches of a unit failed that its cluster bore.
func borne(u *api.UnitStatus) string {
	switch u.FailedBatches {
	case 0:
		return ""
	case 1:
		return "1 batch failed, and was borne"
	}
	return fmt.Sprintf("%d batches failed, and were borne", u.FailedBatches)
}

// behind is which nodes of a unit are dead.
func behind(u *api.UnitStatus) string {
	var of []string
	for _, b := range u.Behind {
		things := "nodes"
		if b.Count == 1 {
			things = "node"
		}
		of = append(of, fmt.Sprintf("%d dead %s: %s", b.Count, things, b.Names(3)))
	}
	return strings.Join(slices.Compact(of), "; ")
}

func (d *drawer) stands(u *api.UnitStatus) string {
	switch {
	case u.LeftOut():
		return "left out by " + u.Ending.By + because(u.Ending.Reason)
	case u.Failure != nil:
		return finding(u.Failure)
	case u.Phase.Final() && len(u.Pruned) > 0:
		return "pruned: " + strings.Join(u.Pruned, ", ")
	case u.Phase.Final() && len(u.Unneeded) > 0:
		return "not needed any more: " + strings.Join(u.Unneeded, ", ")
	case u.Phase.Final():
		return ""
	case u.Phase == api.PhaseMoving && u.Waiting != nil && u.Waiting.Kind == api.WaitPods:
		return ""
	}
	return waits(u.Waiting, d.in.Now)
}

func (d *drawer) batch(u *api.UnitStatus, b *api.BatchStatus) row {
	r := row{indent: 2, mark: d.mark(b.Phase), phase: b.Phase, name: fmt.Sprintf("%s batch %d", b.NodeSet, b.Number), rank: rankBatch}
	if b.Phase.Final() {
		r.rank = rankEnded
	}
	if b.Skipped != "" {
		r.cells = [4]string{"", string(b.Phase), "", b.Skipped}
		return r
	}
	r.cells = [4]string{d.bar(b.Updated, b.Target), string(b.Phase), elapsed(b.Started, b.Ended, d.in.Now), workload(u, b)}
	if b.Phase == api.PhaseMoving && b.Ready < b.Updated {
		r.cells[3] = strings.TrimSpace(r.cells[3] + fmt.Sprintf(" %d of %d ready", b.Ready, b.Updated))
	}
	if b.Lost > 0 {
		r.cells[3] = strings.TrimPrefix(fmt.Sprintf("%s, %d lost", r.cells[3], b.Lost), ", ")
	}
	if bad := badCheck(b.Checks); bad != nil {
		r.cells[3] = finding(bad)
	}
	return r
}

// workload names the workload of a batch where the unit has several.
func workload(u *api.UnitStatus, b *api.BatchStatus) string {
	for i := range u.Batches {
		if u.Batches[i].Workload != b.Workload {
			return b.Workload
		}
	}
	return ""
}

func badCheck(checks []api.Check) *api.Check {
	for i, c := range checks {
		if c.Verdict != api.Passed && c.Verdict != api.Skipped && !c.Advisory {
			return &checks[i]
		}
	}
	return nil
}

func finding(c *api.Check) string {
	text := c.Name + " " + string(c.Verdict)
	if c.Message != "" {
		text += ": " + c.Message
	}
	return text
}

// rank says how soon a unit's line goes: first those that have nothing to tell.
func rank(u *api.UnitStatus) int {
	switch {
	case u.LeftOut():
		return rankStopped
	case u.Phase == api.PhasePending, u.Phase == api.PhaseSkipped:
		return rankPending
	case u.Phase == api.PhaseSucceeded:
		return rankSucceeded
	case u.Phase.Final():
		return rankStopped
	}
	return rankOpen
}
