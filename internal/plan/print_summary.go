package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// How much of a plan its summary prints.
const (
	summaryNames  = 3 // of a group of clusters
	summaryGroups = 4 // of changes
	summaryLines  = 4 // of what changes in an object
)

// objectLine begins what changes in an object, in a text of patch.Text.
var objectLine = regexp.MustCompile(`^[+~] [A-Z][A-Za-z0-9]*/\S+$`)

// summary prints a plan on a screen: a line for each stage, the groups of changes with how they begin, and everything that
// speaks against it.
func (o *printer) summary(p *Plan, seen sighted) {
	o.stages(p)
	o.workloads(seen.reached)
	o.changesBriefly(seen.reached)
	o.drift(seen.reached)
	o.liveNotes(seen.reached)
	o.unseen(seen)
	o.refusals(seen)
}

func (o *printer) stages(p *Plan) {
	rows := [][]string{{"", "stage", "clusters", "at once", "batches", "soak", "approvals", "risk"}}
	for i := range p.Stages {
		s := &p.Stages[i]
		row := []string{fmt.Sprint(i + 1), s.Name}
		if s.Skipped != "" {
			rows = append(rows, append(row, "Skipped: it "+s.Skipped))
			continue
		}
		approvals := ""
		if s.Approvals > 0 {
			approvals = fmt.Sprint(s.Approvals)
			if who := s.Approvers.Text(); who != "" {
				approvals += " of " + who
			}
		}
		rows = append(rows, append(row,
			fmt.Sprint(s.Units()), s.Rules.MaxConcurrency.String(), amounts(s.Rules.Batches),
			soak(s.Rules.Soak), approvals, scores(s)))
	}
	o.line(0, "")
	o.table(1, rows)
}

// scores are the lowest and the highest risk of a stage.
func scores(s *StagePlan) string {
	var all []float64
	for i := range s.Groups {
		for j := range s.Groups[i].Units {
			all = append(all, s.Groups[i].Units[j].Score)
		}
	}
	if len(all) == 0 {
		return ""
	}
	least, most := slices.Min(all), slices.Max(all)
	if least == most {
		return fmt.Sprintf("%.2f", least)
	}
	return fmt.Sprintf("%.2f to %.2f", least, most)
}

// changesBriefly prints the groups of changes, those of most clusters first, and how each begins.
func (o *printer) changesBriefly(clusters []*sight) {
	if len(clusters) == 0 {
		return
	}
	groups := groupAlike(clusters, changeText)
	slices.SortStableFunc(groups, func(a, b *alike) int { return len(b.clusters) - len(a.clusters) })
	o.line(0, "")
	o.line(0, "changes")
	for _, g := range groups[:min(len(groups), summaryGroups)] {
		o.group(1, "these changes ", g)
		o.indented(2, briefly(g.text))
	}
	if len(groups) > summaryGroups {
		var rest []string
		for _, g := range groups[summaryGroups:] {
			rest = append(rest, g.clusters...)
		}
		o.list(1, fmt.Sprintf("other changes, in %s, ", count(len(groups)-summaryGroups, "group"))+in(rest), rest)
	}
	o.unchanged(clusters)
}

// briefly leaves of a text of changes the objects, and of each the first lines that change.
func briefly(text string) string {
	var out printer
	shown, more, objects := 0, 0, false
	listed := !slices.ContainsFunc(strings.Split(text, "\n"), objectLine.MatchString)
	end := func() {
		if more > 0 {
			out.line(1, "and %s", count(more, "changed line")+" more")
		}
		shown, more = 0, 0
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case objectLine.MatchString(line):
			end()
			objects = true
			out.line(0, "%s", line)
		case !objects:
			if listed { // no text of what changes in them: their names have to do
				out.indented(0, line)
			}
		case !strings.HasPrefix(line, "+") && !strings.HasPrefix(line, "-"):
		case shown < summaryLines:
			shown++
			out.line(1, "%s", line)
		default:
			more++
		}
	}
	end()
	return out.buf.String()
}

// workloads prints what moves, and in how many clusters.
func (o *printer) workloads(clusters []*sight) {
	type sum struct{ clusters, pods, batches int }
	sums := map[string]*sum{}
	var order []string
	for _, s := range clusters {
		for _, w := range s.Workloads {
			if sums[w.Object] == nil {
				sums[w.Object] = &sum{}
				order = append(order, w.Object)
			}
			of, batches := sums[w.Object], 0
			of.clusters++
			for _, set := range w.NodeSets {
				of.pods += set.Pods
				for _, b := range set.Batches {
					if b.Skipped == "" {
						batches++
					}
				}
			}
			of.batches = max(of.batches, batches)
		}
	}
	if len(order) == 0 {
		return
	}
	rows := [][]string{{"workload", "clusters", "pods", "batches a cluster"}}
	for _, object := range order {
		of := sums[object]
		rows = append(rows, []string{object, fmt.Sprint(of.clusters), fmt.Sprint(of.pods), fmt.Sprintf("at most %d", of.batches)})
	}
	o.line(0, "")
	o.table(1, rows)
}
