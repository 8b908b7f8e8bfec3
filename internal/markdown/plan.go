// Package markdown writes plans for those who read them where a change is reviewed: in a comment of a forge, in the summary of a job. What
// others wrote, such as names, messages and diffs, stays text there, and a text is never longer than it may be. It asks nobody anything.
package markdown

import (
	"fmt"
	"slices"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

// How long a text may be where it is shown. All count bytes, where GitHub counts characters: there are never more of these.
const (
	GitHubComment = 65_536    // characters of a comment of GitHub
	GitHubSummary = 1 << 20   // bytes of a step summary of GitHub
	GitLabNote    = 1_000_000 // characters of a note of GitLab
	Least         = 6_000     // a smaller limit counts as this one
)

// Planned is a plan, and what is known of it.
type Planned struct {
	Hash     string
	Plan     *plan.Plan
	State    string      // whether it can run: engine.PlanReady and its like
	Counts   plan.Counts // of what was seen
	Looked   bool        // clusters were looked at
	Seen     plan.Seen
	Untold   string   // why changes have no diff; "" where they have
	Origin   string   // where the files came from, as one phrase
	Refused  []string // what speaks against starting it beside what was seen in clusters
	Warnings []string // what a reader has to know first
	Program  string   // how the command line is called: "sluice", with its flags
}

// verdicts say of a state what a reader does with it.
var verdicts = map[string]string{
	"ready":   "This plan can run.",
	"refused": "**This plan cannot run: it is refused.**",
	"unseen":  "Nobody could look at the clusters.",
	"busy":    "**This plan cannot start before another run has ended.**",
	"done":    "There is nothing to do.",
	"narrow":  "This plan goes past stages: it starts with a reason.",
}

// Plan is a plan in Markdown of at most limit bytes: what speaks against it, units in their order, batches, checks and changes. Where there
// is no room for all, whole blocks are left out, and the last line says how much that is, and which command shows it.
func Plan(p Planned, limit int) string {
	limit = max(limit, Least)
	if len(p.Program) > maxQuoted {
		p.Program = "sluice"
	}
	whole := parted(block{open: head(p), noun: "section", parts: slices.Concat(
		refusals(p), warnings(p), []block{facts(p)}, order(p), batches(p), checks(p), changes(p), beside(p),
	)})
	var out strings.Builder
	var left lost
	end := foot(p, "")
	if whole.length+len(end) > limit {
		most := 400 // of the names of what is left out
		whole.write(&out, limit-len(end)-most, &left)
		end = foot(p, left.String())
	} else {
		whole.write(&out, whole.length, &left)
	}
	out.WriteString(end)
	return out.String()
}

func head(p Planned) string {
	verdict := verdicts[p.State]
	if verdict == "" {
		verdict = "Whether it can run is not known."
	}
	if p.Looked {
		verdict += " " + upper(p.Counts.String()) + "."
	}
	return fmt.Sprintf("### Plan %s of %s %s\n\n%s\n\n",
		code(short(p.Hash), maxNamed), code(p.Plan.Subject.String(), maxNamed), code(p.Plan.Version, maxNamed), verdict)
}

// foot says what is left out, and how all of it is read.
func foot(p Planned, left string) string {
	show := code(p.Program+" get "+short(p.Hash)+" --full", 2*maxQuoted)
	if left != "" {
		return fmt.Sprintf("**Left out here: %s.** All of it: %s\n", left, show)
	}
	return fmt.Sprintf("All of it: %s\n", show)
}

// short is the beginning of a hash, as people type it.
func short(hash string) string { return hash[:min(len(hash), 12)] }

func upper(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// bullets are a list under a head; nothing where it is empty.
func bullets(head, noun string, items []string) []block {
	if len(items) == 0 {
		return nil
	}
	b := block{open: head + "\n\n", close: "\n", noun: noun, more: func(what string) string { return "- and " + what + "\n" }}
	for _, item := range items {
		b.parts = append(b.parts, whole("- "+item+"\n"))
	}
	return []block{parted(b)}
}

// about says of which clusters a text is.
func about(s plan.Shared) string {
	text := "in " + api.Counted(len(s.Clusters), "cluster") + ": " + list(s.Clusters)
	if len(s.Own) > 0 {
		text += "; each has its own " + list(s.Own)
	}
	return text
}

func refusals(p Planned) []block {
	var items []string
	for _, r := range p.Refused {
		items = append(items, Code(r))
	}
	for _, r := range p.Seen.Refusals {
		items = append(items, Code(r.Text)+" "+about(r))
	}
	return bullets("#### Refused", "refusal", items)
}

func warnings(p Planned) []block {
	var items []string
	for _, w := range p.Warnings {
		items = append(items, Code(w))
	}
	for _, b := range p.Plan.Bypasses {
		items = append(items, Code(b.Text(p.Plan.Version)))
	}
	return bullets("#### Read this first", "warning", items)
}

// facts is what the plan is made of.
func facts(p Planned) block {
	rows := [][2]string{
		{"pipeline", Code(p.Plan.Pipeline)},
		{"risk", Code(string(p.Plan.Risk))},
		{"origin", Code(p.Origin)},
		{"on failure", Code(string(p.Plan.OnFailure))},
		{"rollback", Code(string(p.Plan.Rollback))},
		{"drift", Code(string(p.Plan.Drift))},
	}
	for _, v := range p.Plan.Params {
		rows = append(rows, [2]string{"param", Code(v.Name + "=" + v.Text())})
	}
	for _, e := range p.Plan.Exceptions {
		rows = append(rows, [2]string{"exception", Code(fmt.Sprintf("%s may change although %s forbids it: %s", e.Object, e.Rule, e.Reason))})
	}
	for _, note := range p.Plan.Notes {
		rows = append(rows, [2]string{"note", Code(note)})
	}
	b := block{open: "#### What it is\n\n", close: "\n", noun: "fact", more: func(what string) string { return "- and " + what + "\n" }}
	for _, row := range rows {
		b.parts = append(b.parts, whole("- "+row[0]+" "+row[1]+"\n"))
	}
	return parted(b)
}

// manyRows is how many rows a table has that is not folded.
const manyRows = 10

// rows is a table, folded where it is long.
func rows(summary, noun string, columns []string, cells [][]string) []block {
	if len(cells) == 0 {
		return nil
	}
	ruler := strings.Repeat("|---", len(columns)) + "|\n"
	b := block{
		open: "| " + strings.Join(columns, " | ") + " |\n" + ruler, noun: noun,
		more: func(what string) string { return "\nand " + what + "\n" },
	}
	for _, row := range cells {
		b.parts = append(b.parts, whole("| "+strings.Join(row, " | ")+" |\n"))
	}
	return []block{fold(b, summary, len(cells) <= manyRows)}
}

// order is the units in the order in which they start.
func order(p Planned) []block {
	var cells [][]string
	for i := range p.Plan.Stages {
		s := &p.Plan.Stages[i]
		if s.Skipped != "" {
			cells = append(cells, []string{"", cell(s.Name), cell("Skipped: it " + s.Skipped), "", "", ""})
		}
		n := 0
		for j := range s.Groups {
			for k := range s.Groups[j].Units {
				u := &s.Groups[j].Units[k]
				n++
				cells = append(cells, []string{
					fmt.Sprint(n), cell(s.Name), cell(u.Path), cell(u.Environment), fmt.Sprintf("%.2f", u.Score), cell(reasons(u)),
				})
			}
		}
	}
	summary := fmt.Sprintf("Order: %s in %s", api.Counted(p.Plan.Units(), "cluster"), api.Counted(len(p.Plan.Stages), "stage"))
	return rows(summary, "row", []string{"", "stage", "unit", "environment", "risk", "why"}, cells)
}

// reasons say what a score is made of.
func reasons(u *plan.Unit) string {
	var all []string
	for _, r := range u.Reasons {
		if r.Points > 0 {
			all = append(all, strings.TrimSpace(fmt.Sprintf("%.2f %s %s", r.Points, r.Name, r.Value)))
		}
	}
	return strings.Join(all, " + ")
}

// checks are what may hold the run, at each stage.
func checks(p Planned) []block {
	var cells [][]string
	n := 0
	add := func(stage string, all []pipelines.ResolvedCheck) {
		for i := range all {
			c := &all[i]
			at := make([]string, len(c.At))
			for j, point := range c.At {
				at[j] = string(point)
			}
			text := strings.Join(c.Does(), ", ")
			if c.Enforcement == pipelines.Advisory {
				text = strings.TrimPrefix(text+", advisory: it holds nothing", ", ")
			}
			cells = append(cells, []string{stage, cell(c.Name), cell(strings.Join(at, ", ")), cell(text)})
			n++
		}
	}
	add("all of the run", p.Plan.Checks)
	for i := range p.Plan.Stages {
		s := &p.Plan.Stages[i]
		add(cell(s.Name), s.Rules.Checks)
		if s.Approvals > 0 {
			by := ""
			if who := s.Approvers.Text(); who != "" {
				by = " of " + cell(who)
			}
			cells = append(cells, []string{cell(s.Name), "approval", "before the stage", fmt.Sprint(s.Approvals) + by})
		}
	}
	return rows("Checks: "+fmt.Sprint(n), "check", []string{"stage", "check", "at", "it reads or changes"}, cells)
}
