package engine

import (
	"context"
	"fmt"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// Settled is a run that was overtaken, and what became of it.
type Settled struct {
	Run   string   `json:"run"`
	By    string   `json:"by"`              // the direct run
	Phase string   `json:"phase"`           // the run's, now
	Owed  []string `json:"owed"`            // clusters that are not back yet
	Took  string   `json:"took"`            // whose changes they have
	Stand bool     `json:"stand,omitempty"` // no worker has obeyed yet
}

// Settle ends a run that was taken back without Temporal, once Temporal is back, and says which clusters are not back yet. Where Lease
// and ledger are is what the direct run has made of them: nothing in a cluster is touched but what the run has armed in clusters that
// are not back. It is fault.Refused for a run that was not overtaken. Twice is once.
func (e *Engine) Settle(ctx context.Context, run, by, reason string) (Settled, error) {
	by = e.named(by)
	known, err := e.ledger.Run(ctx, run)
	if err != nil {
		return Settled{}, err
	}
	over, err := e.ledger.Overtaken(ctx, run)
	if fault.CodeOf(err) == fault.NotFound {
		return Settled{}, fault.New(fault.Refused, "cannot reconcile %s: nobody has taken it back without Temporal; where a Lease and the "+
			"ledger disagree, name component and cluster, and which of them to --trust", run)
	}
	if err != nil {
		return Settled{}, err
	}
	out := Settled{Run: run, By: over.Name, Took: over.Back, Owed: []string{}}
	if known.Ended.IsZero() {
		answer, err := e.Command(ctx, run, api.UpdateAbort, api.Command{
			Who: by, Abandon: true, Reason: fmt.Sprintf("%s took %s back without Temporal: %s", over.Name, over.Back, reason),
		})
		if err != nil {
			return out, err
		}
		out.Stand = answer.Stands
	}
	if known.Ended.IsZero() && !out.Stand {
		ended, err := e.hasEnded(ctx, &known)
		if err != nil {
			return out, err
		}
		open, err := e.isOpen(ctx, run)
		if err != nil {
			return out, err
		}
		if !ended && open {
			return out, fault.New(fault.Conflict, "%s was told to end, and has not yet; what it waits for: %s why %s", run, e.options.Program, run)
		}
	}
	out.Phase = known.Phase
	if over.Ended.IsZero() { // whoever moved it was killed
		over.Phase, over.Ended = string(api.PhaseAborted), e.now()
		if err := e.ledger.SaveRun(ctx, over); err != nil {
			return out, err
		}
	}
	if out.Owed, err = e.owed(ctx, over.Back); err != nil {
		return out, err
	}
	return out, e.audit(ctx, ledger.Entry{
		Who: by, Command: "reconcile", Object: run, Reason: reason,
		Outcome: fmt.Sprintf("%s has taken it back; %s", over.Name, api.Counted(len(out.Owed), "cluster")+" not back"),
	})
}

// owed lists the clusters that a run has moved and nobody has taken back.
func (e *Engine) owed(ctx context.Context, run string) ([]string, error) {
	known, err := e.ledger.Run(ctx, run)
	if err != nil {
		return nil, err
	}
	planned, err := e.LoadPlan(ctx, known.Plan)
	if err != nil {
		return nil, err
	}
	moved, err := e.goesHome(ctx, known, planned, api.Scope{})
	if err != nil {
		return nil, err
	}
	left, err := e.leftToTake(ctx, known, moved, nil)
	names := []string{}
	for _, u := range left {
		names = append(names, u.Cluster)
	}
	return names, err
}
