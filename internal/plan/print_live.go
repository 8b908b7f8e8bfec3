package plan

import (
	"fmt"
	"strings"
)

// live prints what would change now: batches, then changes, each said once for all clusters that it is equal in.
func (o *printer) live(seen sighted) {
	o.batches(seen.reached)
	o.changes(seen.reached)
	o.drift(seen.reached)
	o.liveNotes(seen.reached)
	o.unseen(seen)
	o.refusals(seen)
}

// unseen prints the clusters that could not be looked at, and why.
func (o *printer) unseen(seen sighted) {
	if len(seen.unreachable) > 0 {
		o.line(0, "")
		o.line(0, "out of reach, diffed at its turn")
		for _, g := range groupAlike(seen.unreachable, func(s *sight) string { return s.Unreachable }) {
			o.list(1, "", g.clusters)
			o.indented(2, g.text)
		}
	}
	if len(seen.missing) > 0 {
		o.line(0, "")
		o.list(0, "not looked at, diffed at its turn: ", seen.missing)
	}
}

func in(clusters []string) string { return "in " + count(len(clusters), "cluster") + ": " }

// group prints which clusters a group has, and what of its text each has its own of.
func (o *printer) group(indent int, what string, g *alike) {
	o.list(indent, what+in(g.clusters), g.clusters)
	if len(g.own) > 0 {
		o.line(indent+1, "each with its own %s", strings.Join(g.own, ", "))
	}
}

func (o *printer) batches(clusters []*sight) {
	groups := groupAlike(clusters, batchText)
	if len(groups) == 0 {
		return
	}
	o.line(0, "")
	o.line(0, "batches")
	for _, g := range groups {
		o.group(1, "", g)
		o.indented(2, g.text)
	}
}

func batchText(c *sight) string {
	var out printer
	for _, w := range c.Workloads {
		out.line(0, "%s", w.Object)
		rows := [][]string{{"node set", "pods", "updated after each batch"}}
		for _, n := range w.NodeSets {
			reached := targets(n.Batches)
			if w.Whole != "" {
				reached += ", " + w.Whole
			}
			rows = append(rows, []string{n.Name, fmt.Sprint(n.Pods), reached})
			for _, why := range skippedBatches(n.Batches) {
				rows = append(rows, []string{"", "", why})
			}
		}
		out.table(1, rows)
	}
	return out.buf.String()
}

// targets lists how many pods are updated after each batch that moves any.
func targets(batches []Batch) string {
	var all []string
	for _, b := range batches {
		if b.Skipped == "" {
			all = append(all, fmt.Sprint(b.Target))
		}
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

// skippedBatches says why batches are skipped, neighbours with one reason together.
func skippedBatches(batches []Batch) []string {
	var all []string
	for i := 0; i < len(batches); {
		first := batches[i]
		for i++; i < len(batches) && batches[i].Skipped == first.Skipped; i++ {
		}
		last := batches[i-1]
		switch {
		case first.Skipped == "":
		case first.Number == last.Number:
			all = append(all, fmt.Sprintf("batch %d is skipped: %s", first.Number, first.Skipped))
		default:
			all = append(all, fmt.Sprintf("batches %d to %d are skipped: %s", first.Number, last.Number, first.Skipped))
		}
	}
	return all
}

func (o *printer) changes(clusters []*sight) {
	if len(clusters) == 0 {
		return
	}
	o.line(0, "")
	o.line(0, "changes")
	for _, g := range groupAlike(clusters, changeText) {
		o.group(1, "these changes ", g)
		o.indented(2, g.text)
	}
	o.unchanged(clusters)
}

// unchanged prints where no object changes.
func (o *printer) unchanged(clusters []*sight) {
	var still, held []string
	for _, s := range clusters {
		switch {
		case s.still():
			still = append(still, s.ClusterDiff.Cluster)
		case s.Diff == "" && len(s.Refusals) == 0:
			held = append(held, s.ClusterDiff.Cluster)
		}
	}
	if len(held) > 0 {
		o.list(1, "no object changes, and a workload that was left half-way moves "+in(held), held)
	}
	if len(still) > 0 {
		o.list(1, "nothing changes "+in(still), still)
	}
}

// changeText is what changes in a cluster: the objects, then the diff. Where there is no diff to print, its digest makes
// the difference, and is not printed.
func changeText(s *sight) string {
	if s.Diff == "" {
		return ""
	}
	var out printer
	out.table(0, actions(s.ClusterDiff))
	if s.diff == "" {
		out.line(0, hiddenDigest+"%s", s.Diff)
	}
	out.indented(0, s.diff)
	return out.buf.String()
}

// hiddenDigest begins a line that tells clusters apart and is not printed.
const hiddenDigest = "\x00"

// actions lists the objects that do not stay as they are.
func actions(c *ClusterDiff) [][]string {
	var rows [][]string
	for _, object := range c.Objects {
		if object.Action != "unchanged" {
			rows = append(rows, []string{object.Action, object.Object})
		}
	}
	return rows
}

func (o *printer) drift(clusters []*sight) {
	groups := groupAlike(clusters, driftText)
	if len(groups) == 0 {
		return
	}
	o.line(0, "")
	o.line(0, "drift: fields that somebody else changed")
	for _, g := range groups {
		o.group(1, "", g)
		o.indented(2, g.text)
	}
}

func driftText(s *sight) string {
	var out printer
	for _, object := range s.Objects {
		for _, field := range object.Drift {
			out.line(0, "%s  %s", object.Object, field)
		}
	}
	return out.buf.String()
}

// line is one line that is said of clusters: a note, a refusal.
type line struct {
	sight *sight
	text  string
}

// groupLines gathers lines by their text, in the order in which they first come.
func groupLines(all []line) []*alike {
	sights := make([]*sight, len(all))
	texts := make(map[*sight]string, len(all))
	for i, l := range all {
		one := *l.sight
		sights[i] = &one
		texts[&one] = l.text
	}
	return groupAlike(sights, func(s *sight) string { return texts[s] })
}

func (o *printer) liveNotes(clusters []*sight) {
	var all []line
	for _, s := range clusters {
		for _, note := range s.Notes {
			all = append(all, line{s, note})
		}
	}
	if len(all) == 0 {
		return
	}
	o.line(0, "")
	o.line(0, "notes")
	for _, g := range groupLines(all) {
		o.line(1, "%s", g.text)
		o.group(2, "", g)
	}
}

// refusals prints each refusal once, with the clusters that it is about.
func (o *printer) refusals(seen sighted) {
	var all []line
	refused := 0
	for _, s := range append(seen.reached, seen.unreachable...) {
		for _, r := range s.Refusals {
			all = append(all, line{s, r.String()})
		}
		if len(s.Refusals) > 0 {
			refused++
		}
	}
	if refused == 0 {
		return
	}
	o.line(0, "")
	o.line(0, "refused in %d of %s: this plan cannot run", refused, count(seen.all, "cluster"))
	for _, g := range groupLines(all) {
		o.indented(1, g.text)
		o.group(2, "", g)
	}
}

// indented writes text line by line.
func (o *printer) indented(indent int, text string) {
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, hiddenDigest) {
			o.line(indent, "%s", strings.TrimRight(line, "\r\n"))
		}
	}
}

// lineWidth is how long a line of names gets before it goes on below.
const lineWidth = 100

// list writes names behind a head, on as many lines as it takes; in a summary only the first of many.
func (o *printer) list(indent int, head string, all []string) {
	if more := len(all) - summaryNames; o.opts.Summary && more > 0 {
		o.line(indent, "%s%s and %d more", head, strings.Join(all[:summaryNames], ", "), more)
		return
	}
	line := head
	for i, name := range all {
		if i < len(all)-1 {
			name += ","
		}
		if len(line)+len(name) > lineWidth && line != head {
			o.line(indent, "%s", strings.TrimRight(line, " "))
			line, head = "  ", "  "
		}
		line += name + " "
	}
	o.line(indent, "%s", strings.TrimRight(line, " "))
}
