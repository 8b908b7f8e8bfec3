package report

import (
	"fmt"
	"io"
	"strings"

	"sluice.dev/sluice/internal/fault"
)

// Markdown writes the document for people who read it raw, and for those who paste it where it is rendered.
func (d *Document) Markdown(w io.Writer) error {
	var b strings.Builder
	m := marker{&b}
	m.line("# %s: %s\n\n%s\n", safe(d.Title), d.Phase, safe(d.Outcome))
	m.note(d.Note)
	m.line("Written %s. Times are UTC.\n", clock(d.Made))
	m.line("## What was to change\n")
	for _, row := range d.Facts {
		m.line("- %s: %s", row.Name, safe(row.Value))
	}
	m.gantt(d.Gantt)
	m.line("\n## Timeline\n")
	for _, t := range d.Timeline {
		m.line("- %s %s%s", t.Clock(), safe(t.What), after(t.Span()))
	}
	m.note(d.Untold)
	m.findings(d)
	m.blames(d)
	m.clusters(d)
	m.line("\n## What is owed\n")
	for _, o := range d.Owed {
		m.line("- %s", safe(o))
	}
	if len(d.Owed) == 0 {
		m.line("Nothing.")
	}
	m.line("\n## People\n")
	for _, p := range d.People {
		m.line("- %s: %s", safe(p.Who), safe(p.Did))
	}
	if len(d.Deeds) > 0 {
		m.line("\n| when | who | command | reason | came of it |\n|---|---|---|---|---|")
	}
	for _, e := range d.Deeds {
		did := strings.TrimSpace(e.Command + " " + e.Scope)
		m.line("| %s | %s | %s | %s | %s |", e.Clock(), safe(e.Who), safe(did), safe(e.Reason), safe(e.Outcome))
	}
	m.note(d.Undone)
	m.diffs(d)
	_, err := io.WriteString(w, b.String())
	return fault.Wrap(fault.Internal, err, "cannot write the report of %s", d.Title)
}

type marker struct{ *strings.Builder }

func (m marker) line(format string, args ...any) { fmt.Fprintf(m, format+"\n", args...) }

// note is a paragraph of its own; nothing where there is nothing to say.
func (m marker) note(text string) {
	if text != "" {
		m.line("\n%s\n", safe(text))
	}
}

func (m marker) findings(d *Document) {
	m.line("\n## Verdicts\n")
	if len(d.Findings) == 0 {
		m.line("No check gave a verdict.")
	}
	for _, f := range d.Findings {
		m.line("- %s **%s** at %s%s%s", safe(f.Name), f.Verdict, safe(f.At), when(f.Decided, ", which decided"), when(f.Advises, ", advisory"))
		m.line("  - %s", safe(f.Where))
		if f.Message != "" {
			m.line("  - %s", safe(f.Message))
		}
		var saw []string
		for _, s := range f.Seen {
			saw = append(saw, safe(s.Name)+" = "+safe(s.Value))
		}
		if len(saw) > 0 {
			m.line("  - %s %s", f.Saw, strings.Join(saw, ", "))
		}
	}
	m.note(d.Unfound)
}

// blames lists suspects; nothing where no unit failed.
func (m marker) blames(d *Document) {
	if len(d.Blames) > 0 {
		m.line("\n## What may have broken it\n\nThe most likely is first.\n")
	}
	for _, b := range d.Blames {
		m.line("- %s, stopped %s", safe(b.Unit), b.Clock())
		for i, s := range b.Suspects {
			m.line("  %d. %s", i+1, safe(s))
		}
		if b.More != "" {
			m.line("  - %s", safe(b.More))
		}
	}
}

func (m marker) clusters(d *Document) {
	m.line("\n## Clusters\n\n| stage | clusters | phase | version | began | took | |\n|---|---|---|---|---|---|---|")
	for _, c := range d.Clusters {
		m.line("| %s | %s | %s | %s | %s | %s | %s |", safe(c.Stage), safe(c.Names), c.Phase, safe(c.Version), c.Clock(), c.Lasted(), safe(c.Why))
	}
	m.note(d.More)
}

// gantt draws bars of letters.
func (m marker) gantt(g *Gantt) {
	if g == nil {
		return
	}
	const wide = 48
	m.line("\n## Clusters over time\n\n```")
	for _, b := range g.Bars {
		from := min(int(b.from*wide), wide-1)
		to := min(max(int(b.to*wide), from+1), wide)
		label := []rune(strings.ReplaceAll(b.Label, "`", "'"))
		label = label[:min(len(label), 28)]
		m.line("%-28s |%s%s%s| %s", string(label), strings.Repeat(" ", from), strings.Repeat("=", to-from), strings.Repeat(" ", wide-to), b.Phase)
	}
	m.line("%-28s  %-40s%8s", "", g.Ticks[0].Text, g.Ticks[len(g.Ticks)-1].Text)
	m.line("```")
	m.note(g.More)
}

func (m marker) diffs(d *Document) {
	m.line("\n## Diffs\n")
	for _, f := range d.Diffs {
		fence := "```"
		for strings.Contains(f.Text, fence) {
			fence += "`"
		}
		m.line("%s\n\n%sdiff\n%s\n%s", safe(f.Where), fence, f.Text, fence)
		if f.More > 0 {
			m.line("\n%d more lines", f.More)
		}
		m.line("")
	}
	m.note(d.Undiffed)
}

// safe is a text that stays text where Markdown is rendered: no table, link, picture, code or HTML begins in it.
func safe(text string) string { return escapes.Replace(text) }

var escapes = strings.NewReplacer(`\`, `\\`, "|", `\|`, "`", "\\`", "*", `\*`, "[", `\[`, "]", `\]`, "<", "&lt;", "&", "&amp;")

func when(is bool, text string) string {
	if is {
		return text
	}
	return ""
}

// after puts a text behind another one.
func after(text string) string {
	if text == "" {
		return ""
	}
	return " " + text
}
