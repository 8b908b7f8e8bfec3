package plan

import (
	"fmt"
	"strings"

	"sluice.dev/sluice/internal/fault"
)

// live prints what would change now: batches, then changes, each said once for all clusters that it is equal in.
func (o *printer) live(p *Plan, live *Live) error {
	seen := inPlanOrder(p, live)
	o.batches(seen.reached)
	if err := o.changes(seen.reached); err != nil {
		return err
	}
	o.drift(seen.reached)
	o.liveNotes(seen.reached)
	if len(seen.unreachable) > 0 {
		o.line(0, "")
		o.line(0, "out of reach, diffed at its turn")
		rows := [][]string{}
		for _, c := range seen.unreachable {
			rows = append(rows, []string{c.Cluster, c.Unreachable})
		}
		o.table(1, rows)
	}
	if len(seen.missing) > 0 {
		o.line(0, "")
		o.line(0, "not looked at, diffed at its turn: %s", strings.Join(seen.missing, ", "))
	}
	o.refusals(seen)
	return nil
}

// seen is what is known of the clusters of a plan, in plan order.
type seen struct {
	reached     []*Cluster
	unreachable []*Cluster
	missing     []string
	all         int
}

func inPlanOrder(p *Plan, live *Live) seen {
	byName := make(map[string]*Cluster, len(live.Clusters))
	for i := range live.Clusters {
		byName[live.Clusters[i].Cluster] = &live.Clusters[i]
	}
	var s seen
	for i := range p.Stages {
		for j := range p.Stages[i].Groups {
			for k := range p.Stages[i].Groups[j].Units {
				s.all++
				name := p.Stages[i].Groups[j].Units[k].Cluster
				c := byName[name]
				switch {
				case c == nil:
					s.missing = append(s.missing, name)
				case c.Unreachable != "":
					s.unreachable = append(s.unreachable, c)
				default:
					s.reached = append(s.reached, c)
				}
			}
		}
	}
	return s
}

// alike is clusters that have the same text to be printed.
type alike struct {
	text     string
	clusters []string
	first    *Cluster
}

// groupAlike gathers clusters by text, in the order in which the texts first come. Clusters without one are left out.
func groupAlike(clusters []*Cluster, text func(*Cluster) string) []*alike {
	var all []*alike
	at := map[string]*alike{}
	for _, c := range clusters {
		t := text(c)
		if t == "" {
			continue
		}
		if at[t] == nil {
			at[t] = &alike{text: t, first: c}
			all = append(all, at[t])
		}
		at[t].clusters = append(at[t].clusters, c.Cluster)
	}
	return all
}

func in(clusters []string) string {
	return fmt.Sprintf("in %s: %s", count(len(clusters), "cluster"), strings.Join(clusters, ", "))
}

func (o *printer) batches(clusters []*Cluster) {
	groups := groupAlike(clusters, batchText)
	if len(groups) == 0 {
		return
	}
	o.line(0, "")
	o.line(0, "batches")
	for _, g := range groups {
		o.line(1, "%s", in(g.clusters))
		o.indented(2, g.text)
	}
}

func batchText(c *Cluster) string {
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

func (o *printer) changes(clusters []*Cluster) error {
	if len(clusters) == 0 {
		return nil
	}
	o.line(0, "")
	o.line(0, "changes")
	var still []string
	for _, c := range clusters {
		if c.Diff == "" && len(c.Refusals) == 0 {
			still = append(still, c.Cluster)
		}
	}
	for _, g := range groupAlike(clusters, func(c *Cluster) string { return c.Diff }) {
		o.line(1, "these changes %s", in(g.clusters))
		o.table(2, actions(g.first))
		if o.opts.Text == nil || g.first.Text == "" {
			continue
		}
		text, err := o.opts.Text(g.first.Text)
		if err != nil {
			return fault.Wrap(fault.CodeOf(err), err, "cannot read the diff of cluster %s", g.first.Cluster)
		}
		o.indented(2, text)
	}
	if len(still) > 0 {
		o.line(1, "nothing changes %s", in(still))
	}
	return nil
}

// actions lists the objects that do not stay as they are.
func actions(c *Cluster) [][]string {
	var rows [][]string
	for _, object := range c.Objects {
		if object.Action != "unchanged" {
			rows = append(rows, []string{object.Action, object.Object})
		}
	}
	return rows
}

func (o *printer) drift(clusters []*Cluster) {
	groups := groupAlike(clusters, func(c *Cluster) string {
		var out printer
		for _, object := range c.Objects {
			for _, field := range object.Drift {
				out.line(0, "%s  %s", object.Object, field)
			}
		}
		return out.buf.String()
	})
	if len(groups) == 0 {
		return
	}
	o.line(0, "")
	o.line(0, "drift: fields that somebody else changed")
	for _, g := range groups {
		o.line(1, "%s", in(g.clusters))
		o.indented(2, g.text)
	}
}

func (o *printer) liveNotes(clusters []*Cluster) {
	at := map[string][]string{}
	var notes []string
	for _, c := range clusters {
		for _, note := range c.Notes {
			if at[note] == nil {
				notes = append(notes, note)
			}
			at[note] = append(at[note], c.Cluster)
		}
	}
	if len(notes) == 0 {
		return
	}
	o.line(0, "")
	o.line(0, "notes")
	for _, note := range notes {
		o.line(1, "%s (%s)", note, in(at[note]))
	}
}

func (o *printer) refusals(s seen) {
	rows := [][]string{{"cluster", "rule", "object", "why"}}
	refused := 0
	for _, c := range append(s.reached, s.unreachable...) {
		for _, r := range c.Refusals {
			rows = append(rows, []string{c.Cluster, r.Rule, r.Object, r.Message})
		}
		if len(c.Refusals) > 0 {
			refused++
		}
	}
	if refused == 0 {
		return
	}
	o.line(0, "")
	o.line(0, "refused in %d of %s: this plan cannot run", refused, count(s.all, "cluster"))
	o.table(1, rows)
}

// indented writes text line by line.
func (o *printer) indented(indent int, text string) {
	for line := range strings.Lines(text) {
		o.line(indent, "%s", strings.TrimRight(line, "\r\n"))
	}
}
