package engine

import (
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/markdown"
	"sluice.dev/sluice/internal/origin"
	"sluice.dev/sluice/internal/plan"
)

// State says whether a plan that was just made, or asked for, can run: PlanReady, or what is in its way. Where the clusters were looked at
// long ago, PlanStale is not told.
func (p *Planned) State() string {
	switch {
	case p.Refused() != nil:
		return PlanRefused
	case p.Live == nil:
		return PlanUnseen
	case p.Idle() != nil:
		return PlanDone
	case len(p.Busy) > 0:
		return PlanBusy
	case len(p.Plan.Bypasses) > 0 && p.Plan.BypassReason() == "":
		return PlanNarrow
	}
	return PlanReady
}

// Shown is a plan for those who read it in Markdown. Text returns the unified diff of a blob digest: where whoever asks may not read it,
// changes are shown without. Program is how the command line is called.
func (p *Planned) Shown(text func(digest string) (string, error), program string) (markdown.Planned, error) {
	shown := markdown.Planned{
		Hash: p.Hash, Plan: p.Plan, State: p.State(), Counts: p.Counts, Looked: p.Live != nil, Origin: origin.Text(p.Stored.Origin),
		Refused: p.RefusedByPolicy(), Warnings: p.Warnings(), Program: program,
	}
	if p.TooBig != "" {
		shown.Refused = append(shown.Refused, p.TooBig)
	}
	if p.Live == nil {
		return shown, nil
	}
	var err error
	shown.Seen, err = plan.Share(p.Plan, p.Live, text)
	if code := fault.CodeOf(err); code == fault.Refused || code == fault.Unauthorized || code == fault.NotFound {
		shown.Untold = err.Error()
		shown.Seen, err = plan.Share(p.Plan, p.Live, nil)
	}
	return shown, fault.Wrap(fault.CodeOf(err), err, "cannot show plan %.12s", p.Hash)
}
