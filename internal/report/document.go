package report

import (
	"fmt"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
)

// Document is a report before it is written in a format. Its texts are bounded, and show no secrets.
type Document struct {
	Title    string
	Phase    api.Phase
	Outcome  string
	Note     string
	Made     time.Time
	Facts    []Row
	Timeline []Moment
	Untold   string // what of the timeline is left out
	Findings []Finding
	Unfound  string // which verdicts are left out
	Blames   []Blamed
	Clusters []Cluster
	More     string // which clusters are left out
	Diffs    []Diff
	Undiffed string
	People   []Person
	Deeds    []Deed
	Undone   string // which deeds are left out
	Owed     []string
	Progress *Progress
	Gantt    *Gantt
}

// Diff is a change with the clusters that it is equal in.
type Diff struct {
	Where string
	Text  string
	More  int // lines that are left out
}

// Of makes the document of what is known.
func Of(f Facts) *Document {
	r := &f.Run
	d := &Document{
		Title: said(r.Name), Phase: r.Phase, Outcome: outcome(r), Note: said(f.Note), Made: f.Made, Facts: toChange(f),
	}
	d.Timeline, d.Untold = timeline(f)
	d.Findings, d.Unfound = findings(f)
	d.Blames = blames(f)
	d.Clusters, d.More = clusters(r)
	d.Diffs, d.Undiffed = diffs(f)
	d.People, d.Deeds, d.Undone = people(f)
	d.Owed = owed(r)
	d.Progress, d.Gantt = progress(f), gantt(f)
	return d
}

// toChange says what the run was about.
func toChange(f Facts) []Row {
	r := &f.Run
	rows := []Row{
		{"component", said(r.Subject.String())}, {"version", said(r.Version)}, {"takes back", said(r.Back)}, {"pipeline", said(r.Pipeline)},
		{"plan", r.Plan}, {"planned", by(f.PlannedBy, f.PlannedAt)}, {"from", said(f.Origin)}, {"started", by(r.By, r.Started)},
		{"reason", said(r.Reason)}, {"ended", ended(f)}, {"phase", string(r.Phase)}, {"clusters", fmt.Sprint(len(units(r)))},
	}
	kept := rows[:0]
	for _, row := range rows {
		if row.Value != "" {
			kept = append(kept, row)
		}
	}
	return kept
}

func by(who string, at time.Time) string {
	if who == "" {
		return ""
	}
	return fmt.Sprintf("%s, by %s", clock(at), said(who))
}

func ended(f Facts) string {
	if f.Run.Ended.IsZero() {
		return "it is open: this is how it is at " + clock(f.Made)
	}
	return fmt.Sprintf("%s, after %s", clock(f.Run.Ended), lasted(f.Run.Started, f.Run.Ended))
}

// units are all units of a run, in the order of its stages.
func units(r *api.RunStatus) []*api.UnitStatus {
	var all []*api.UnitStatus
	for i := range r.Stages {
		for j := range r.Stages[i].Units {
			all = append(all, &r.Stages[i].Units[j])
		}
	}
	return all
}

func diffs(f Facts) (all []Diff, missing string) {
	missing = said(f.Undiffed)
	for i, of := range f.Diffs {
		if i == maxDiffs {
			return all, fmt.Sprintf("%d more changes are different from these; the plan has them", len(f.Diffs)-i)
		}
		d := Diff{Where: said(few(of.Clusters))}
		if len(of.Own) > 0 {
			d.Where += said(", each with its own " + strings.Join(of.Own, ", "))
		}
		lines := strings.Split(strings.TrimRight(visible(of.Text), "\n"), "\n")
		if d.More = max(len(lines)-maxDiffRows, 0); d.More > 0 {
			lines = lines[:maxDiffRows]
		}
		for j, line := range lines {
			if len(line) > maxText {
				lines[j] = strings.ToValidUTF8(line[:maxText], "") + "..."
			}
		}
		d.Text = strings.Join(lines, "\n")
		all = append(all, d)
	}
	return all, missing
}
