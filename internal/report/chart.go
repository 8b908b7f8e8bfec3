package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
)

// The paper of charts, in points: what stands left of the plot, and the plot.
const (
	labelWidth = 230
	plotWidth  = 640
	plotHeight = 150
	barHeight  = 18
)

// axis is a span of time, laid out on the plot.
type axis struct{ from, to time.Time }

// axisOf spans a run: to its end, or to now.
func axisOf(f Facts) axis {
	a := axis{f.Run.Started, f.Run.Ended}
	if a.to.IsZero() {
		a.to = f.Made
	}
	for _, u := range units(&f.Run) {
		if u.Ended.After(a.to) {
			a.to = u.Ended
		}
	}
	return a
}

func (a axis) empty() bool { return a.from.IsZero() || !a.to.After(a.from) }

// x is where a time stands on the plot.
func (a axis) x(t time.Time) float64 {
	share := float64(t.Sub(a.from)) / float64(a.to.Sub(a.from))
	return labelWidth + plotWidth*min(max(share, 0), 1)
}

// Tick is a time that an axis names.
type Tick struct {
	X    string
	Text string
}

func (a axis) ticks() []Tick {
	layout := "15:04:05"
	if a.to.Sub(a.from) > 20*time.Hour {
		layout = "01-02 15:04"
	}
	var all []Tick
	for i := range 5 {
		t := a.from.Add(a.to.Sub(a.from) / 4 * time.Duration(i))
		all = append(all, Tick{point(a.x(t)), t.UTC().Format(layout)})
	}
	return all
}

func point(v float64) string { return fmt.Sprintf("%.1f", v) }

// Progress is how many clusters and pods have the new version, over time.
type Progress struct {
	Height int
	Ticks  []Tick
	Lines  []Line
}

// Line is a curve of a chart.
type Line struct {
	Name   string
	Points string // of an SVG polyline
	Most   int
	Of     int // 0 where nobody knows
}

// change is a number that changes at a time.
type change struct {
	at time.Time
	by int
}

func progress(f Facts) *Progress {
	a := axisOf(f)
	if a.empty() {
		return nil
	}
	var clusters, pods []change
	for _, u := range units(&f.Run) {
		ended := *u
		if before, wentBack := f.Before[u.Path]; wentBack {
			ended = before
		}
		sum := 0
		reached := map[string]int{}
		for _, b := range forward(f, u) {
			set := b.Workload + " " + b.NodeSet
			if more := b.Updated - reached[set]; more > 0 {
				reached[set] = b.Updated
				sum += more
				pods = append(pods, change{cmp.Or(b.Ended, a.to), more})
			}
		}
		if ended.Phase == api.PhaseSucceeded {
			clusters = append(clusters, change{ended.Ended, 1})
		}
		if u.Phase == api.PhaseRolledBack {
			pods = append(pods, change{u.Ended, -sum})
			if ended.Phase == api.PhaseSucceeded {
				clusters = append(clusters, change{u.Ended, -1})
			}
		}
	}
	p := &Progress{Height: plotHeight + 40, Ticks: a.ticks()}
	p.Lines = append(p.Lines, a.line("clusters", clusters, len(units(&f.Run))), a.line("pods", pods, 0))
	return p
}

// line draws the steps of a number, at most one for each point of the paper.
func (a axis) line(name string, all []change, of int) Line {
	slices.SortStableFunc(all, func(a, b change) int { return a.at.Compare(b.at) })
	top, now := 0, 0
	for _, c := range all {
		now += c.by
		top = max(top, now)
	}
	scale := float64(max(top, of, 1))
	y := func(n int) string { return point(10 + plotHeight - float64(n)/scale*plotHeight) }
	points := []string{point(labelWidth) + "," + y(0)}
	now = 0
	for i, c := range all {
		before := now
		now += c.by
		at := point(a.x(c.at))
		if i+1 < len(all) && int(a.x(all[i+1].at)) == int(a.x(c.at)) {
			continue
		}
		points = append(points, at+","+y(before), at+","+y(now))
	}
	points = append(points, point(a.x(a.to))+","+y(now))
	return Line{Name: name, Points: strings.Join(points, " "), Most: top, Of: of}
}

// Gantt is when clusters were under way.
type Gantt struct {
	Height int
	Floor  int // where the ticks stand
	Ticks  []Tick
	Bars   []Bar
	More   string
}

// Bar is a row of it.
type Bar struct {
	Label    string
	Phase    api.Phase
	X, Width string
	Y, Base  int
	Note     string
	from, to float64 // as shares of the plot
}

// gantt draws a bar for each row of clusters that has begun.
func gantt(f Facts) *Gantt {
	a := axisOf(f)
	if a.empty() {
		return nil
	}
	rows, more := clusters(&f.Run)
	g := &Gantt{Ticks: a.ticks(), More: more}
	slices.SortStableFunc(rows, func(a, b Cluster) int { return a.Began.Compare(b.Began) })
	for _, c := range rows {
		if c.Began.IsZero() {
			continue
		}
		if len(g.Bars) == maxBars {
			g.More = "more rows are left out"
			break
		}
		until := cmp.Or(c.Ended, a.to)
		from, to := a.x(c.Began), a.x(until)
		y := len(g.Bars) * barHeight
		g.Bars = append(g.Bars, Bar{
			Label: c.Names, Phase: c.Phase, X: point(from), Width: point(max(to-from, 2)), Y: y + 3, Base: y + 14,
			Note: fmt.Sprintf("%s, %s: %s, %s", c.Stage, c.Names, c.Phase, lasted(c.Began, until)),
			from: (from - labelWidth) / plotWidth, to: (to - labelWidth) / plotWidth,
		})
	}
	if len(g.Bars) == 0 {
		return nil
	}
	g.Floor = len(g.Bars)*barHeight + 6
	g.Height = g.Floor + 20
	return g
}
