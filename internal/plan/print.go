package plan

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
)

// RenderOptions are what Render needs besides the plan. The zero value prints a plan without diffs.
type RenderOptions struct {
	Origin   string                              // where the files came from, as one phrase
	Text     func(digest string) (string, error) // returns the unified diff of a blob digest
	Refused  []string                            // what speaks against starting it, beside what was seen in clusters
	Warnings []string                            // what a reader has to know first
	Summary  bool                                // a screen of it: stages as lines, few names, the beginnings of diffs
}

// Render writes a plan as people read it: plain sentences and aligned tables, no colours. Live is what was seen in the
// clusters for this very plan, or nil.
func Render(w io.Writer, p *Plan, live *Live, opts RenderOptions) error {
	hash := Hash(p)
	if live != nil && live.Plan != "" && live.Plan != hash {
		return fault.New(fault.Invalid, "cannot print the plan %s: what was seen in the clusters belongs to the plan %s", hash, live.Plan)
	}
	out := &printer{opts: opts, seen: live, never: p.Rollback == pipelines.RollbackNever}
	var seen sighted
	if live != nil {
		var err error
		if seen, err = look(p, live, opts.Text); err != nil {
			return fault.Wrap(fault.CodeOf(err), err, "cannot print the plan %s", hash)
		}
	}
	out.top(p, live)
	out.head(p, hash)
	out.tasks(p, false)
	if opts.Summary {
		out.summary(p, seen)
		out.tasks(p, true)
		out.results(p)
	} else {
		for i := range p.Stages {
			out.stage(p, i)
		}
		out.tasks(p, true)
		out.results(p)
		out.live(seen)
	}
	if _, err := w.Write(out.buf.Bytes()); err != nil {
		return fault.Wrap(fault.Internal, err, "cannot print the plan %s", hash)
	}
	return nil
}

// printer collects text; writing into its buffer cannot fail.
type printer struct {
	buf   bytes.Buffer
	opts  RenderOptions
	seen  *Live
	never bool // the component forbids a way back
}

func (o *printer) line(indent int, format string, args ...any) {
	o.buf.WriteString(strings.Repeat("  ", indent))
	fmt.Fprintf(&o.buf, format, args...)
	o.buf.WriteByte('\n')
}

// table aligns rows in columns. Trailing empty cells leave no blanks behind.
func (o *printer) table(indent int, rows [][]string) {
	var buf bytes.Buffer
	tw := tabwriter.NewWriter(&buf, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(tw, strings.Join(row, "\t"))
	}
	tw.Flush()
	for line := range strings.Lines(buf.String()) {
		o.line(indent, "%s", strings.TrimRight(line, " \n"))
	}
}

// top prints what a reader has to know first: how much changes, and what speaks against starting it.
func (o *printer) top(p *Plan, live *Live) {
	if live != nil {
		o.line(0, "%s", Count(p, live))
	}
	for _, r := range o.opts.Refused {
		o.line(0, "refused: %s", r)
	}
	for _, w := range o.opts.Warnings {
		o.line(0, "warning: %s", w)
	}
	if o.buf.Len() > 0 {
		o.line(0, "")
	}
}

func (o *printer) head(p *Plan, hash string) {
	rows := [][]string{
		{"component", p.Subject.String() + " " + p.Version + ", risk " + string(p.Risk)},
		{"pipeline", p.Pipeline},
	}
	if o.opts.Origin != "" {
		rows = append(rows, []string{"origin", o.opts.Origin})
	}
	if len(p.Params) > 0 {
		rows = append(rows, []string{"params", params(p.Params)})
	}
	rows = append(rows,
		[]string{"on failure", string(p.OnFailure)},
		[]string{"rollback", rollbackText(p)},
		[]string{"drift", string(p.Drift)},
		[]string{"units", total(p)},
	)
	if p.MaxFailures != nil {
		rows = append(rows, []string{"budget", fmt.Sprintf("maxFailures of the run: %d of %d", *p.MaxFailures, p.Units())})
	}
	rows = append(rows, checkRows("checks", p.Checks)...)
	o.line(0, "plan %s", hash)
	o.table(1, rows)
	for _, e := range p.Exceptions {
		o.line(1, "exception: %s may change although %s forbids it: %s", e.Object, e.Rule, e.Reason)
	}
	for _, b := range p.Bypasses {
		o.line(1, "bypass: %s", b.Text(p.Version))
	}
	if len(p.Bypasses) > 0 {
		o.line(1, "%s", bypassReason(p))
	}
	for _, note := range p.Notes {
		o.line(1, "note: %s", note)
	}
}

// rollbackText says who may roll back, and the pace that Backward sets.
func rollbackText(p *Plan) string {
	if p.Rollback == pipelines.RollbackNever {
		return string(p.Rollback)
	}
	pace := pipelines.Percent(BackwardPercent)
	return fmt.Sprintf("%s; the last cluster goes back first and alone, then %s at once; failure %d stops it",
		p.Rollback, rounded("", pace, p.Units(), max(pace.Of(p.Units()), 1)), BackwardMaxFailures+1)
}

func total(p *Plan) string {
	skipped := 0
	for i := range p.Stages {
		if p.Stages[i].Skipped != "" {
			skipped++
		}
	}
	text := fmt.Sprintf("%s in %s", count(p.Units(), "cluster"), count(len(p.Stages), "stage"))
	if skipped > 0 {
		text += fmt.Sprintf(", %d of them skipped", skipped)
	}
	return text
}

func (o *printer) stage(p *Plan, i int) {
	s := &p.Stages[i]
	o.line(0, "")
	o.line(0, "stage %d of %d: %s", i+1, len(p.Stages), s.Name)
	if s.Skipped != "" {
		o.line(1, "Skipped: it %s", s.Skipped)
		for _, note := range s.Notes {
			o.line(1, "note: %s", note)
		}
		return
	}
	o.table(1, append(stageRules(s), stageChecks(p, i)...))
	for _, note := range s.Notes {
		o.line(1, "note: %s", note)
	}
	for j := range s.Groups {
		o.stageGroup(s, &s.Groups[j])
	}
}

func (o *printer) stageGroup(s *StagePlan, g *Group) {
	o.line(0, "")
	alone := ""
	if g.FirstAlone {
		alone = "; one at a time until one has succeeded"
	}
	pace := rounded("maxConcurrency", s.Rules.MaxConcurrency, len(g.Units), g.MaxConcurrency)
	at := fmt.Sprintf("%s, %s%s", count(len(g.Units), "cluster"), pace, alone)
	switch {
	case s.Rules.GroupBy == "":
		o.line(1, "%s", at)
	case g.Name == NoValue:
		o.line(1, "no %s: %s", s.Rules.GroupBy, at)
	default:
		o.line(1, "%s %s: %s", s.Rules.GroupBy, g.Name, at)
	}
	rows := [][]string{{"", "unit", "way back"}}
	for i := range g.Units {
		u := &g.Units[i]
		rows = append(rows, []string{fmt.Sprint(i + 1), u.Path, o.wayBack(u)})
	}
	addColumn(rows, "after", g.Units, after)
	addColumn(rows, "score", g.Units, func(u *Unit) string { return fmt.Sprintf("%.2f", u.Score) })
	shared, sum, own := parts(g.Units)
	if len(shared) > 0 {
		o.line(2, "score: %s for each", strings.Join(shared, " + "))
	}
	if len(shared) > 0 && len(own) > 0 {
		addColumn(rows, "= shared", g.Units, func(*Unit) string { return fmt.Sprintf("%.2f", sum) })
	}
	for i, part := range own {
		sign := "+ "
		if i == 0 && len(shared) == 0 {
			sign = "= "
		}
		addColumn(rows, sign+part, g.Units, func(u *Unit) string {
			r := u.reason(part)
			return strings.TrimSpace(fmt.Sprintf("%.2f %s", r.Points, r.Value))
		})
	}
	o.table(2, rows)
}

// parts tells the parts of scores that all units share, with their sum, from those that are not the same in each.
func parts(units []Unit) (shared []string, sum float64, own []string) {
	hundred := 0
	for _, part := range pipelines.RiskParts() {
		first := units[0].reason(part)
		switch {
		case slices.ContainsFunc(units, func(u Unit) bool { return u.reason(part) != first }):
			own = append(own, part)
		case first.Points > 0:
			shared = append(shared, fmt.Sprintf("%.2f %s %s", first.Points, part, first.Value))
			hundred += hundredths(first.Points)
		}
	}
	return shared, float64(hundred) / 100, own
}

// reason is what a part gives to a unit's score; nothing where it gives nothing.
func (u *Unit) reason(part string) Reason {
	i := slices.IndexFunc(u.Reasons, func(r Reason) bool { return r.Name == part })
	if i < 0 {
		return Reason{}
	}
	return u.Reasons[i]
}

// addColumn adds a column to a table of units, unless none has anything in it.
func addColumn(rows [][]string, head string, units []Unit, cell func(*Unit) string) {
	cells, filled := []string{head}, false
	for i := range units {
		text := cell(&units[i])
		cells, filled = append(cells, text), filled || text != ""
	}
	for i := range rows {
		if filled {
			rows[i] = append(rows[i], cells[i])
		}
	}
}

func (o *printer) wayBack(u *Unit) string {
	switch back := o.seen.WayBack(u); {
	case back.Exists() && back.Target == u.Target:
		return back.String() + " (runs the target already)"
	case o.never:
		return "no way back"
	default:
		return back.String()
	}
}

func after(u *Unit) string {
	var all []string
	for _, name := range u.AfterGroups {
		all = append(all, "group "+name)
	}
	return names(append(all, u.After...))
}

func stageRules(s *StagePlan) [][]string {
	r := &s.Rules
	order := "by " + r.Order.By
	if len(r.Order.Units) > 0 {
		order = names(r.Order.Units) + ", then " + order
	}
	if r.GroupBy != "" {
		order += "; " + r.GroupBy + " after " + r.GroupBy
	}
	budgets := rounded("maxFailures", r.MaxFailures, s.Units(), s.MaxFailures) + ", "
	if most := r.MaxGroupFailures; most != nil {
		budgets += "maxGroupFailures " + most.String() + " of each group's, "
	}
	if most := r.MaxBatchFailures; most > 0 {
		budgets += fmt.Sprintf("maxBatchFailures %d of each cluster's, ", most)
	}
	budgets += rounded("maxUnreachable", r.MaxUnreachable, s.Units(), s.MaxUnreachable)
	batches := amounts(r.Batches) + "; maxUnavailable " + r.MaxUnavailable.String() + r.behindText() +
		"; progressDeadline " + r.ProgressDeadline.String()
	rows := [][]string{
		{"order", order},
		{"budgets", budgets},
		{"node sets", nodeSets(r.NodeSets)},
		{"batches", batches},
		{"soak", soak(r.Soak)},
	}
	if text := r.samplesText(); text != "" {
		rows = append(rows, []string{"", text})
	}
	if s.Approvals > 0 {
		rows = append(rows, []string{"approvals", s.approvalText()})
	}
	return rows
}

// rounded says what a rule comes to, and how where it was rounded: "maxConcurrency 33% of 7 = 2".
func rounded(rule string, amount pipelines.Amount, of, result int) string {
	text := fmt.Sprint(result)
	if amount.Percent {
		text = fmt.Sprintf("%s of %d = %d", amount, of, result)
	}
	return strings.TrimSpace(rule + " " + text)
}

func nodeSets(sets []pipelines.NodeSet) string {
	var all []string
	for _, s := range sets {
		all = append(all, s.Name)
	}
	return strings.Join(all, ", ")
}

func amounts(list []pipelines.Amount) string {
	var all []string
	for _, a := range list {
		all = append(all, a.String())
	}
	return strings.Join(all, ", ")
}

func soak(s Soak) string {
	var all []string
	if s.FirstBatch != nil {
		all = append(all, "first batch "+s.FirstBatch.String())
	}
	for _, part := range []struct {
		name string
		d    pipelines.Duration
	}{{"batch", s.Batch}, {"cluster", s.Cluster}, {"group", s.Group}, {"stage", s.Stage}} {
		if part.d > 0 {
			all = append(all, part.name+" "+part.d.String())
		}
	}
	if s.MinSamples > 0 {
		all = append(all, count(s.MinSamples, "sample")+" a batch")
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

// samplesText says how long the soak of a batch takes for its measurements.
func (r *StageRules) samplesText() string {
	n := r.Soak.MinSamples
	slowest, found := pipelines.Slowest(pipelines.Sampled(pipelines.Measured(pipelines.ChecksAt(r.Checks, pipelines.During)), n))
	if n == 0 || !found {
		return ""
	}
	return fmt.Sprintf("each batch at least %s: %s every %s (%s)",
		pipelines.Duration(slowest.Takes()), count(n, "sample"), pipelines.Duration(slowest.Every()), slowest.Name)
}

func params(all []pipelines.ParamValue) string {
	var parts []string
	for _, p := range all {
		parts = append(parts, p.Name+"="+p.Text())
	}
	return strings.Join(parts, ", ")
}
