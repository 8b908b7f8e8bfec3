package store

import (
	"context"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
)

// NoteFailure notes that a unit stands where it failed.
func (a *Activities) NoteFailure(ctx context.Context, req step.FailureRequest) (step.Note, error) {
	return "", a.Ledger.NoteOutcome(ctx, ledger.Outcome{Run: req.Run, Cluster: req.Cluster, Plan: req.Plan, Failed: req.At})
}

// failed reports whether a unit failed by the change, and not as its cluster was out of reach to the end, or no permit was given.
func failed(u *api.UnitStatus) bool {
	noPermit := u.Failure != nil && u.Failure.At == pipelines.Point(step.Enter.Name())
	return u.Failing() && !u.Lost() && !noPermit
}

// noteUnit notes how a unit ended, as far as fuses count it. What goes back says nothing new.
func (a *Activities) noteUnit(ctx context.Context, ref step.Ref, u *api.UnitStatus) error {
	if ref.Back {
		return nil
	}
	o := ledger.Outcome{Run: ref.Run, Cluster: ref.Cluster, Plan: ref.Plan, Ended: u.Ended, Passed: u.Phase == api.PhaseSucceeded}
	if failed(u) {
		o.Failed = u.Ended
	}
	return a.Ledger.NoteOutcome(ctx, o)
}

// noteRun notes what failed in a run, once more: some did so after they had ended, in the soak of their stage.
func (a *Activities) noteRun(ctx context.Context, run *api.RunStatus) error {
	if run.Back != "" {
		return nil
	}
	for i := range run.Stages {
		for j := range run.Stages[i].Units {
			u := &run.Stages[i].Units[j]
			if !failed(u) {
				continue
			}
			at := u.Ended
			if at.IsZero() {
				at = run.Ended
			}
			err := a.Ledger.NoteOutcome(ctx, ledger.Outcome{Run: run.Name, Cluster: u.Cluster, Plan: run.Plan, Failed: at, Ended: at})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
