package markdown

import (
	"regexp"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
)

// fenced is a text as lines between fences, each object of a diff a part of its own.
func fenced(info, open, text string) block {
	fence := strings.Repeat("`", max(3, longest(visible(text))+1))
	b := block{
		open: open + fence + info + "\n", close: fence + "\n", noun: "object",
		more: func(what string) string { return "  ... and " + what + "\n" },
	}
	for _, object := range objects(text) {
		part := block{noun: "line", more: func(what string) string { return "  ... and " + what + "\n" }}
		for _, l := range object {
			part.parts = append(part.parts, whole(line(l)))
		}
		b.parts = append(b.parts, parted(part))
	}
	return parted(b)
}

// objectLine begins what changes in an object, in a diff.
var objectLine = regexp.MustCompile(`^[+~] [A-Z][A-Za-z0-9]*/\S+$`)

// objects takes a diff apart: what is said before the first object, then each object.
func objects(text string) [][]string {
	var all [][]string
	for l := range strings.Lines(text) {
		if len(all) == 0 || objectLine.MatchString(strings.TrimRight(l, "\r\n")) {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], l)
	}
	return all
}

// groups are texts about clusters under a head, each folded.
func groups(head, noun, info string, all []plan.Shared) []block {
	if len(all) == 0 {
		return nil
	}
	b := block{open: "#### " + head + "\n\n", noun: noun, more: func(what string) string { return "And " + what + ".\n\n" }}
	for _, s := range all {
		summary := "In " + api.Counted(len(s.Clusters), "cluster") + few(s.Clusters)
		b.parts = append(b.parts, fold(fenced(info, upper(about(s))+"\n\n", s.Text), summary, false))
	}
	return []block{parted(b)}
}

func batches(p Planned) []block {
	return groups("Batches", "group of clusters", "text", p.Seen.Batches)
}

func changes(p Planned) []block {
	b := groups("Changes", "group of clusters", "diff", p.Seen.Changes)
	if p.Untold != "" && len(b) > 0 {
		b[0].open += "Diffs are not shown: " + Code(p.Untold) + "\n\n"
		b[0] = parted(b[0])
	}
	return b
}

// beside is what else was seen.
func beside(p Planned) []block {
	var items []string
	for _, s := range p.Seen.Notes {
		items = append(items, Code(s.Text)+" "+about(s))
	}
	for _, s := range p.Seen.Drift {
		items = append(items, "somebody else changed "+Code(s.Text)+" "+about(s))
	}
	for _, s := range p.Seen.Unreachable {
		items = append(items, "out of reach, diffed at its turn: "+Code(s.Text)+" "+about(s))
	}
	for _, named := range []struct {
		what     string
		clusters []string
	}{{"not looked at, diffed at its turn", p.Seen.Missing}, {"nothing changes", p.Seen.Unchanged}} {
		if len(named.clusters) > 0 {
			items = append(items, named.what+" "+about(plan.Shared{Clusters: named.clusters}))
		}
	}
	return bullets("#### Also seen", "note", items)
}
