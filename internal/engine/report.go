package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/origin"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/report"
)

// How much of the ledger a report looks at.
const (
	reportEntries = 1000
	reportFreezes = ledger.MaxFreezes
)

// Report is all that is known of a run, for a report of it. A run that has ended is read from the ledger alone. Errors are those of
// Status.
func (e *Engine) Report(ctx context.Context, run string) (report.Facts, error) {
	view, err := e.Status(ctx, run)
	if err != nil {
		return report.Facts{}, err
	}
	f := report.Facts{Made: e.now(), Run: view.RunStatus, Note: view.Note, Before: map[string]api.UnitStatus{}}
	for i := range view.Stages {
		for _, u := range view.Stages[i].Units {
			if before, known := e.whole(ctx, u.Before); known {
				f.Before[u.Path] = before
			}
		}
	}
	if err := e.addDeeds(ctx, &f, view.Bypasses); err != nil {
		return f, err
	}
	blamed, err := e.Blame(ctx, view)
	if err != nil {
		return f, err
	}
	for _, b := range blamed {
		f.Blames = append(f.Blames, report.Blame{Unit: b.Unit, At: b.At, Suspects: b.Suspects, More: b.More, Note: b.Note})
	}
	known, err := e.ledger.Run(ctx, run)
	if err != nil {
		return f, err
	}
	f.Run.Plan, f.Run.By, f.Run.Reason = known.Plan, cmp.Or(f.Run.By, known.By), cmp.Or(f.Run.Reason, known.Reason)
	f.Run.Started = cmp.Or(f.Run.Started, known.Started)
	planned, err := e.LoadPlan(ctx, known.Plan)
	if err != nil { // all else is known
		f.Undiffed = fmt.Sprintf("neither changes nor freezes are known: %v", err)
		return f, nil
	}
	f.Origin, f.PlannedBy, f.PlannedAt = origin.Text(planned.Stored.Origin), planned.Stored.By, planned.Stored.Created
	f.Run.Pipeline = cmp.Or(f.Run.Pipeline, planned.Plan.Pipeline)
	if err := e.addDiffs(ctx, &f, planned); err != nil {
		return f, err
	}
	return f, e.addFreezes(ctx, &f, planned.Plan)
}

// addDeeds adds what people did to the run, the oldest first.
func (e *Engine) addDeeds(ctx context.Context, f *report.Facts, bypasses []ledger.Bypass) error {
	entries, err := e.ledger.ListEntries(ctx, f.Run.Name, reportEntries)
	if err != nil {
		return err
	}
	for _, entry := range slices.Backward(entries) {
		f.Deeds = append(f.Deeds, report.Deed{
			At: entry.At, Who: entry.Who, Command: entry.Command, Scope: entry.Scope, Reason: entry.Reason, Outcome: entry.Outcome,
		})
	}
	for _, b := range slices.Backward(bypasses) {
		d := report.Deed{At: b.At, Who: b.By, Command: "bypass", Scope: b.Of, Reason: b.Reason, Outcome: "accepted"}
		ofPlan := !slices.ContainsFunc(f.Deeds, func(known report.Deed) bool {
			return known.Command == d.Command && known.Who == d.Who && known.Scope == d.Scope
		})
		if ofPlan { // it was given before there was a run
			f.Deeds = slices.Insert(f.Deeds, 0, d)
		}
	}
	if len(entries) == reportEntries {
		f.Deedless = fmt.Sprintf("only the last %d commands are listed", reportEntries)
	}
	return nil
}

// addDiffs adds what the plan was to change, as it was seen when it was made.
func (e *Engine) addDiffs(ctx context.Context, f *report.Facts, planned *Planned) error {
	if planned.Live == nil {
		f.Undiffed = "nobody looked at the clusters when the plan was made"
		return nil
	}
	texts := map[string]string{}
	diffs, err := plan.SharedDiffs(planned.Plan, planned.Live, func(digest string) (string, error) {
		if text, known := texts[digest]; known {
			return text, nil
		}
		text, err := e.Text(ctx, digest)
		texts[digest] = text
		return text, err
	})
	if err != nil {
		return fault.Wrap(fault.CodeOf(err), err, "cannot read what run %s changed", f.Run.Name)
	}
	f.Diffs = diffs
	if len(diffs) == 0 {
		f.Undiffed = "the plan saw no change in any cluster"
	}
	return nil
}

// addFreezes adds those that held a cluster of the run while it was open, the oldest first.
func (e *Engine) addFreezes(ctx context.Context, f *report.Facts, p *plan.Plan) error {
	if f.Run.Back != "" {
		return nil // what takes back is held by none
	}
	all, err := e.ledger.ListFreezes(ctx, reportFreezes)
	if err != nil {
		return err
	}
	ended := cmp.Or(f.Run.Ended, f.Made)
	for _, z := range slices.Backward(all) {
		over := cmp.Or(z.Lifted, z.Until, ended)
		if z.Since.After(ended) || over.Before(f.Run.Started) {
			continue
		}
		then := z
		then.Lifted, then.Until = time.Time{}, time.Time{}
		if held := p.Holds([]api.Freeze{then}, 0, z.Since); len(held.List) > 0 {
			f.Freezes = append(f.Freezes, z)
		}
	}
	return nil
}
