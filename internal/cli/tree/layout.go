package tree

import (
	"fmt"
	"slices"
	"strings"

	"charm.land/lipgloss/v2"

	"sluice.dev/sluice/internal/api"
)

const (
	barWidth = 16
	maxName  = 48
)

// bar draws how many of how many, with the numbers.
func (d *drawer) bar(done, of int) string {
	if of <= 0 {
		return ""
	}
	done = min(max(done, 0), of)
	full := barWidth * done / of
	if d.o.Bars {
		return strings.Repeat("█", full) + strings.Repeat("░", barWidth-full) + fmt.Sprintf(" %d/%d", done, of)
	}
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", barWidth-full) + "]" + fmt.Sprintf(" %d/%d", done, of)
}

// unitBar draws the pods of a unit that were moved.
func (d *drawer) unitBar(u *api.UnitStatus) string {
	all := d.in.Scales[u.Cluster].Pods
	if u.Phase == api.PhaseSucceeded || u.Phase == api.PhaseRolledBack && d.in.View.Back != "" {
		return d.bar(all, all)
	}
	if d.in.View.Partial && len(u.Batches) == 0 {
		return ""
	}
	moved := map[string]int{}
	for _, b := range u.Batches {
		set := b.Workload + " " + b.NodeSet
		moved[set] = max(moved[set], b.Updated)
	}
	sum := 0
	for _, n := range moved {
		sum += n
	}
	if u.Phase == api.PhasePending || u.Phase == api.PhaseSkipped && sum == 0 {
		return ""
	}
	if u.Phase == api.PhaseRolledBack {
		sum = 0
	}
	return d.bar(sum, all)
}

// mark is one character for a phase; with bars the ones that a terminal has for it.
func (d *drawer) mark(p api.Phase) string {
	plain, drawn := ">", "▸"
	switch p {
	case api.PhaseSucceeded:
		plain, drawn = "+", "✓"
	case api.PhaseFailed, api.PhaseHeld, api.PhaseRefused, api.PhaseStalled:
		plain, drawn = "!", "✗"
	case api.PhaseRolledBack, api.PhaseRollingBack:
		plain, drawn = "<", "↩"
	case api.PhaseAborted, api.PhaseMissed:
		plain, drawn = "x", "×"
	case api.PhaseSkipped:
		plain, drawn = "-", "-"
	case api.PhaseUnreachable:
		plain, drawn = "?", "?"
	case api.PhasePaused, api.PhaseLocked:
		plain, drawn = "=", "‖"
	case api.PhasePending, "":
		plain, drawn = ".", "·"
	}
	if d.o.Bars {
		return drawn
	}
	return plain
}

// When lines are scarce, rows of the highest rank go first; rank 0 stays.
const (
	rankOpen      = 20 // open units
	rankStopped   = 40 // units that did not end well
	rankAbout     = 50 // where the run comes from
	rankBatch     = 60 // batches that are under way
	rankSucceeded = 70
	rankNothing   = 75 // skipped stages
	rankPending   = 80
	rankEnded     = 90 // batches that have ended
)

// fit leaves lines out until they fit. Units that were left out are counted.
func fit(rows []row, height int) []row {
	if height <= 0 {
		return rows
	}
	for _, rank := range []int{rankEnded, rankPending, rankNothing, rankSucceeded, rankBatch, rankAbout, rankStopped, rankOpen} {
		if len(rows) <= height {
			return rows
		}
		switch rank {
		case rankEnded, rankNothing, rankBatch, rankAbout:
			rows = slices.DeleteFunc(rows, func(r row) bool { return r.rank == rank })
		default:
			rows = counted(rows, rank, height)
		}
	}
	if len(rows) <= height {
		return rows
	}
	cut := len(rows) - height + 1
	return append(rows[:height-1:height-1], row{free: true, name: fmt.Sprintf("... and %d more lines", cut)})
}

// counted replaces neighbours of one rank by a line that counts them, the last ones first, until all rows fit.
func counted(rows []row, rank, height int) []row {
	for end := len(rows); end > 0 && len(rows) > height; end-- {
		if rows[end-1].rank != rank {
			continue
		}
		first := end - 1
		for first > 0 && rows[first-1].rank == rank && rows[first-1].phase == rows[end-1].phase {
			first--
		}
		if n := end - first; n > 1 {
			summary := row{indent: rows[first].indent, free: true, name: fmt.Sprintf("... %d %s", n, rows[first].phase), phase: rows[first].phase}
			rows = slices.Replace(rows, first, end, summary)
		}
		end = first + 1
	}
	return rows
}

// lay aligns columns, cuts to the width, and colours.
func (d *drawer) lay(rows []row) []string {
	var widths [4]int
	for i := range rows {
		r := &rows[i]
		r.name = Printable(r.name)
		for j := range r.cells {
			r.cells[j] = Printable(r.cells[j])
		}
		if r.free {
			continue
		}
		widths[0] = max(widths[0], lipgloss.Width(left(*r)))
		for j := range 3 {
			widths[j+1] = max(widths[j+1], lipgloss.Width(r.cells[j]))
		}
	}
	widths[0] = min(widths[0], maxName)
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[i] = d.line(r, widths)
	}
	return lines
}

func left(r row) string {
	if r.free {
		return strings.Repeat("  ", r.indent) + r.name
	}
	return strings.Repeat("  ", r.indent) + r.mark + " " + r.name
}

func (d *drawer) line(r row, widths [4]int) string {
	if r.free {
		return d.paint(cut(left(r), d.o.Width), r.phase)
	}
	text := pad(cut(left(r), widths[0]), widths[0])
	for i := range 3 {
		if widths[i+1] > 0 {
			text += "  " + pad(r.cells[i], widths[i+1])
		}
	}
	text = strings.TrimRight(text+"  "+oneLine(r.cells[3]), " ")
	return d.paint(cut(text, d.o.Width), r.phase)
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(width-lipgloss.Width(text), 0))
}

// cut shortens a text to a width, and shows that it did.
func cut(text string, width int) string {
	if width <= 0 || lipgloss.Width(text) <= width {
		return text
	}
	end := 0
	for i := range text {
		if lipgloss.Width(text[:i]) > width-1 {
			break
		}
		end = i
	}
	return text[:end] + "…"
}

// paint colours a line after its phase. Colours are of the basic sixteen, which the terminal's owner has chosen.
func (d *drawer) paint(text string, p api.Phase) string {
	if !d.o.Color || text == "" {
		return text
	}
	style := lipgloss.NewStyle()
	switch p {
	case api.PhaseSucceeded:
		style = style.Foreground(lipgloss.Green)
	case api.PhaseFailed, api.PhaseHeld, api.PhaseRefused, api.PhaseStalled, api.PhaseAborted, api.PhaseMissed:
		style = style.Foreground(lipgloss.Red)
	case api.PhaseRolledBack, api.PhaseRollingBack, api.PhasePaused, api.PhaseLocked, api.PhaseWaiting, api.PhaseUnreachable:
		style = style.Foreground(lipgloss.Yellow)
	case api.PhaseMoving, api.PhaseSoaking, api.PhaseChecking:
		style = style.Foreground(lipgloss.Cyan)
	case api.PhasePending, api.PhaseSkipped:
		style = style.Faint(true)
	default:
		return text
	}
	return style.Render(text)
}
