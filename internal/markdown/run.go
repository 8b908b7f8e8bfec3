package markdown

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
)

// Ran is a run, and what is known of it.
type Ran struct {
	Run     api.RunStatus
	Note    string // what a reader has to know first
	Program string // how the command line is called
}

// Run is where a run is, in Markdown of at most limit bytes: how it ended or what it waits for, what stopped units, and all units. Where
// there is no room for all, whole rows are left out, and the last line says how many.
func Run(r Ran, limit int) string {
	limit = max(limit, Least)
	if len(r.Program) > maxQuoted {
		r.Program = "sluice"
	}
	run := &r.Run
	whole := parted(block{open: ranHead(r), noun: "section", parts: slices.Concat(stopped(run), units(run))})
	var out strings.Builder
	var left lost
	look := code(r.Program+" get "+clip.Runes(run.Name, maxNamed), 2*maxQuoted)
	end := "All of it: " + look + "\n"
	if whole.length+len(end) > limit {
		whole.write(&out, limit-len(end)-200, &left)
		end = fmt.Sprintf("**Left out here: %s.** All of it: %s\n", left.String(), look)
	} else {
		whole.write(&out, whole.length, &left)
	}
	return out.String() + end
}

func ranHead(r Ran) string {
	run := &r.Run
	var text strings.Builder
	fmt.Fprintf(&text, "### Run %s of %s %s: %s\n\n", code(run.Name, maxNamed), code(run.Subject.String(), maxNamed),
		code(run.Version, maxNamed), code(string(run.Phase), maxNamed))
	if r.Note != "" {
		fmt.Fprintf(&text, "%s\n\n", code(r.Note, 2*maxNamed))
	}
	fmt.Fprintf(&text, "- plan %s by pipeline %s\n", code(short(run.Plan), maxNamed), code(run.Pipeline, maxNamed))
	fmt.Fprintf(&text, "- started by %s at %s\n", code(run.By, maxNamed), clock(run.Started))
	if !run.Ended.IsZero() {
		fmt.Fprintf(&text, "- ended at %s, after %s\n", clock(run.Ended), run.Ended.Sub(run.Started).Round(time.Second))
	}
	if run.Ending != nil {
		fmt.Fprintf(&text, "- ended %s\n", code(run.Ending.Said(), maxNamed))
	}
	if w := run.WaitsFor(); w != nil {
		fmt.Fprintf(&text, "- waits for %s\n", code(waits(w), 2*maxNamed))
	}
	return text.String() + "\n"
}

// waits is what something waits for, as one phrase.
func waits(w *api.Waiting) string {
	text := strings.TrimSpace(string(w.Kind) + " " + w.Name)
	if len(w.Unmet) > 0 {
		text += ": " + strings.Join(w.Unmet, "; ")
	}
	if w.Owner != "" {
		text += " (" + w.Owner + ")"
	}
	return text
}

// stopped is what stopped units.
func stopped(run *api.RunStatus) []block {
	var items []string
	for i := range run.Stages {
		for j := range run.Stages[i].Units {
			if u := &run.Stages[i].Units[j]; u.Failure != nil {
				f := u.Failure
				items = append(items, fmt.Sprintf("%s at %s by %s %s: %s",
					Code(u.Path), Code(cmp.Or(u.FailedAt, u.Path)), Code(f.Name), Code(string(f.Verdict)), Code(f.Message)))
			}
		}
	}
	return bullets("#### What stopped", "unit", items)
}

// units are all units, and where each is.
func units(run *api.RunStatus) []block {
	var cells [][]string
	n := 0
	for i := range run.Stages {
		s := &run.Stages[i]
		if len(s.Units) == 0 {
			cells = append(cells, []string{cell(s.Name), "", cell(string(s.Phase)), "", "", cell(s.Skipped)})
		}
		for j := range s.Units {
			u := &s.Units[j]
			n++
			took, why := "", ""
			if !u.Started.IsZero() && !u.Ended.Before(u.Started) {
				took = u.Ended.Sub(u.Started).Round(time.Second).String()
			}
			if u.Waiting != nil {
				why = cell(waits(u.Waiting))
			}
			cells = append(cells, []string{cell(s.Name), cell(u.Path), cell(string(u.Phase)), cell(u.Version), took, why})
		}
	}
	return rows("Units: "+fmt.Sprint(n), "row", []string{"stage", "unit", "phase", "version", "took", "waits for"}, cells)
}

// clock writes a time in UTC: a summary is read elsewhere.
func clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05") + " UTC"
}
