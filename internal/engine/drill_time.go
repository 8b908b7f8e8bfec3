package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
)

// takenBackWithin is how long the bad version may take to be taken back, after it was judged.
const takenBackWithin = 30 * time.Minute

// BeginDrill plans the bad version anew, as its clusters are now, and starts its run; the one that it has started for this time, where
// it is asked again. What keeps it from starting is no error but what came of it. It is fault.Unreachable or fault.Internal where that
// cannot be told yet.
func (e *Engine) BeginDrill(ctx context.Context, t api.DrillTime) (api.Drilled, error) {
	if known, err := e.ledger.Drilled(ctx, t.ID); fault.CodeOf(err) != fault.NotFound {
		return known, err
	}
	out := api.Drilled{ID: t.ID, Drill: t.Drill, Outcome: api.DrillRuns, Started: t.Started}
	d, err := e.keptDrill(ctx, t.Drill)
	var run ledger.Run
	if err == nil {
		out.Until = t.Started.Add(d.Within)
		run, err = e.drillRun(ctx, d, t.ID)
	}
	switch code := fault.CodeOf(err); {
	case err == nil:
		out.Run = run.Name
	case code == fault.Refused, code == fault.Invalid, code == fault.NotFound, code == fault.Conflict, e.now().After(t.Started.Add(d.Within)):
		out.Outcome, out.Message, out.Ended = api.DrillNotRun, err.Error(), e.now()
	default:
		return out, err
	}
	return out, e.ledger.SaveDrilled(ctx, out)
}

// drillRun is the run of a drill: one that was started for this time before, or a new one.
func (e *Engine) drillRun(ctx context.Context, d KeptDrill, id string) (ledger.Run, error) {
	recent, err := e.ledger.ListRuns(ctx, d.Subject, recentRuns)
	if err != nil {
		return ledger.Run{}, err
	}
	for _, r := range recent {
		if r.Drill != id || r.Back != "" {
			continue
		}
		if open, err := e.isOpen(ctx, r.Name); err != nil || open || r.Report != "" {
			return r, err
		}
	}
	if err := e.undisturbed(ctx, d); err != nil {
		return ledger.Run{}, err
	}
	planned, err := e.renewed(ctx, d)
	if err != nil {
		return ledger.Run{}, err
	}
	if err := bad(planned.Plan); err != nil {
		return ledger.Run{}, err
	}
	run := ledger.Run{
		Plan: planned.Hash, Live: planned.Stored.Live, Subject: planned.Plan.Subject, Version: planned.Plan.Version, Drill: id,
		Phase: string(api.PhasePending), Started: e.now(), By: api.BySluice, Reason: "drill " + d.Name,
	}
	holds, err := e.thawed(ctx, run, planned.Plan)
	if err != nil {
		return ledger.Run{}, err
	}
	if len(holds.List) > 0 {
		return ledger.Run{}, fault.New(fault.Refused, "%s holds a part of it", holds.List[0])
	}
	run, err = e.tryRun(ctx, planned, run, true)
	entry := ledger.Entry{Who: run.By, Command: "run", Object: run.Name, Reason: run.Reason, Outcome: "accepted"}
	if err != nil {
		return run, err
	}
	return run, e.audit(ctx, entry)
}

// undisturbed refuses where an open run of the component has clusters of a drill, be it that it only soaks there: a drill ends no
// looks of a run that is meant.
func (e *Engine) undisturbed(ctx context.Context, d KeptDrill) error {
	open, err := e.openRuns(ctx, d.Subject)
	if err != nil {
		return err
	}
	for _, r := range open {
		other, err := e.LoadPlan(ctx, r.Plan)
		if err != nil {
			return err
		}
		for _, u := range other.Plan.AllUnits() {
			if slices.Contains(d.Clusters, u.Cluster) {
				return fault.New(fault.Refused, "run %s (%s %s) is open, and has %s too", r.Name, r.Subject, r.Version, u.Cluster)
			}
		}
	}
	return nil
}

// renewed is the plan of a drill with what its clusters would go back to now, and what it would change in them now.
func (e *Engine) renewed(ctx context.Context, d KeptDrill) (*Planned, error) {
	was, err := e.LoadPlan(ctx, d.Plan)
	if err != nil {
		return nil, err
	}
	back, err := e.waysBack(ctx, d.Subject)
	if err != nil {
		return nil, err
	}
	p := was.Plan
	for i := range p.Stages {
		for j := range p.Stages[i].Groups {
			for k := range p.Stages[i].Groups[j].Units {
				u := &p.Stages[i].Groups[j].Units[k]
				if !slices.Contains(d.Clusters, u.Cluster) {
					return nil, fault.New(fault.Internal, "plan %.12s moves %s, which drill %s may not touch", d.Plan, u.Cluster, d.Name)
				}
				u.WayBack = back[u.Cluster]
			}
		}
	}
	return e.seen(ctx, p, was.Stored, PlanRequest{By: api.BySluice, Reason: "drill " + d.Name})
}

// JudgeDrill tells what the run of a drill has proven so far, and writes it down. It is done when that does not change any more.
func (e *Engine) JudgeDrill(ctx context.Context, id string) (api.Drilled, bool, error) {
	out, err := e.ledger.Drilled(ctx, id)
	if err != nil || out.Outcome != api.DrillRuns {
		return out, true, err
	}
	view, err := e.Status(ctx, out.Run)
	if err != nil {
		return out, false, err
	}
	late := e.now().After(out.Until)
	if view.Partial && !late {
		return out, false, nil // it does not answer: what is put together may be behind
	}
	d, err := e.drillOf(ctx, out)
	if err != nil {
		return out, false, err
	}
	found := plan.Prove(d, &view.RunStatus, late)
	if found.Outcome == api.DrillRuns {
		return out, false, nil
	}
	out.Outcome, out.Message, out.Check, out.At = found.Outcome, found.Message, found.Check, found.At
	return out, true, e.ledger.SaveDrilled(ctx, out)
}

// drillOf is what a drill expects; where it was stopped since, that it goes no further than it has.
func (e *Engine) drillOf(ctx context.Context, t api.Drilled) (api.Drill, error) {
	d, err := e.keptDrill(ctx, t.Drill)
	if fault.CodeOf(err) == fault.NotFound {
		return api.Drill{Moves: 1, Within: t.Until.Sub(t.Started)}, nil
	}
	return d.Drill, err
}

// EndDrill has the bad version taken back where it was not, and is done when that has happened, or nobody could do it in time: then it
// was not stopped, whatever was proven.
func (e *Engine) EndDrill(ctx context.Context, id string) (api.Drilled, bool, error) {
	out, err := e.ledger.Drilled(ctx, id)
	if err != nil || !out.Ended.IsZero() {
		return out, true, err
	}
	left, err := e.takeDrillBack(ctx, out.Run)
	if err != nil && fault.CodeOf(err) != fault.Refused {
		return out, false, err
	}
	if err != nil {
		left = err.Error()
	}
	if left != "" && e.now().Before(out.Until.Add(takenBackWithin)) {
		return out, false, nil
	}
	if left != "" {
		said := "the bad version was not taken back: " + left
		if out.Message != "" {
			said = out.Message + "; " + said
		}
		out.Outcome, out.Message = api.DrillNotStopped, said
	}
	out.Ended = e.now()
	return out, true, e.ledger.SaveDrilled(ctx, out)
}

// takeDrillBack has what a run moved taken back, and says what is left of it; "" where nothing is.
func (e *Engine) takeDrillBack(ctx context.Context, name string) (left string, err error) {
	run, err := e.ledger.Run(ctx, name)
	if err != nil {
		return "", err
	}
	open, err := e.openRuns(ctx, run.Subject)
	if err != nil {
		return "", err
	}
	command := api.Command{Who: api.BySluice, Reason: run.Reason + ": the bad version is taken back"}
	for _, r := range open {
		switch {
		case r.Name == name && r.back, r.Back == name:
			return r.Name + " takes it back", nil
		case r.Name == name:
			_, err := e.command(ctx, run, api.UpdateRollback, command)
			return fmt.Sprintf("%s was told to go back", name), err
		}
	}
	if run.Ended.IsZero() {
		return name + " has not written down how it ended", nil
	}
	answer, err := e.takeBack(ctx, run, command)
	if err != nil || answer.Back == nil {
		return "", err
	}
	return answer.Message, nil
}
