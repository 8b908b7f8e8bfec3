package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
)

// Direct is a rollback that goes without Temporal, as it is about to begin.
type Direct struct {
	api.TakingBack
	Made  ledger.Run // the run that takes back; none where it was only asked for what would go where, or nothing is left
	First string     // the first that took back the same: there may have been others, which were killed or left something
	// Forbids is why it would be refused now, of one that was only asked for.
	Forbids string
}

// Clusters are those that go back, in their order.
func (d Direct) Clusters() []string {
	all := make([]string, len(d.Units))
	for i, u := range d.Units {
		all[i] = u.Cluster
	}
	return all
}

// BeginDirect makes a run that takes back what another one has moved, for somebody who moves it without Temporal. From then on the run
// that is taken back goes on nowhere, as the ledger says that it was overtaken. It is fault.Refused while workers are there, while
// Temporal answers unless anyhow, and where any rollback is. One that was begun before and not ended is overtaken too: who begins again
// goes on with what that one left.
func (e *Engine) BeginDirect(ctx context.Context, run string, c api.Command, anyhow bool) (Direct, error) {
	c.Who, c.Proven = e.named(c.Who), e.options.Proven
	known, err := e.ledger.Run(ctx, run)
	if err != nil {
		return Direct{}, err
	}
	d, err := e.beginDirect(ctx, known, c, anyhow)
	if c.DryRun || fault.CodeOf(err) != fault.Refused {
		return d, err
	}
	return d, errors.Join(err, e.audit(ctx, ledger.Entry{
		Who: c.Who, Command: api.UpdateRollback, Object: run, Scope: c.Scope.String(), Reason: c.Reason, Outcome: ledger.Refused + err.Error(),
	}))
}

func (e *Engine) beginDirect(ctx context.Context, known ledger.Run, c api.Command, anyhow bool) (d Direct, err error) {
	d.Run, d.Scope = known.Name, c.Scope
	planned, err := e.LoadPlan(ctx, known.Plan)
	if err != nil {
		return d, err
	}
	moved, err := e.goesHome(ctx, known, planned, c.Scope)
	if err != nil {
		return d, err
	}
	if !c.Scope.Whole() && !inPlan(planned.Plan, c.Scope) {
		return d, fault.New(fault.Refused, "cannot roll back %s: it has no %s", known.Name, c.Scope)
	}
	all, err := e.directRuns(ctx, known)
	if err != nil {
		return d, err
	}
	before := slices.DeleteFunc(slices.Clone(all), func(r ledger.Run) bool { return !r.Ended.IsZero() })
	units, err := e.leftToTake(ctx, known, moved, before)
	if err != nil {
		return d, err
	}
	if _, d.Units, err = wayHome(planned, units); err != nil {
		return d, err
	}
	switch err := e.nobodyElse(ctx, known, anyhow); {
	case c.DryRun && fault.CodeOf(err) == fault.Refused:
		d.Forbids = err.Error()
		return d, nil
	case err != nil || c.DryRun || len(units) == 0:
		return d, err
	}
	for _, r := range before {
		r.Phase, r.Ended = string(api.PhaseAborted), e.now()
		if err := e.ledger.SaveRun(ctx, r); err != nil {
			return d, err
		}
	}
	d.Made, err = e.ledger.NewRun(ctx, ledger.Run{
		Plan: known.Plan, Live: known.Live, Subject: known.Subject, Version: known.Version,
		Back: known.Name, Direct: true, Drill: known.Drill,
		Phase: string(api.PhaseRollingBack), Started: e.now(), By: c.Who, Reason: c.Reason,
	})
	if err != nil {
		return d, err
	}
	d.By, d.First = d.Made.Name, d.Made.Name
	if len(all) > 0 {
		d.First = all[len(all)-1].Name
	}
	return d, e.audit(ctx, ledger.Entry{
		Who: c.Who, Command: api.UpdateRollback, Object: known.Name, Scope: c.Scope.String(), Reason: c.Reason,
		Outcome: fmt.Sprintf("run %s takes back %s of %s without Temporal, %s", d.By, c.Scope, known.Name, api.Counted(len(units), "unit")),
	})
}

// directRuns lists the direct runs that take back a run, the newest first. Of one that has not ended whoever moved it was killed, or
// moves it still.
func (e *Engine) directRuns(ctx context.Context, known ledger.Run) ([]ledger.Run, error) {
	all, err := e.ledger.ListRuns(ctx, known.Subject, recentRuns)
	return slices.DeleteFunc(all, func(r ledger.Run) bool { return !r.Direct || r.Back != known.Name }), err
}

// leftToTake leaves out the units that are back already, but for those that an unfinished direct run has recorded: it may have been
// killed before it freed their Leases. A cluster that a later run has begun to move is refused.
func (e *Engine) leftToTake(ctx context.Context, known ledger.Run, moved []plan.Unit, before []ledger.Run) ([]plan.Unit, error) {
	here, err := e.stillThere(ctx, known, slices.Clone(moved))
	if err != nil {
		return nil, err
	}
	present, err := e.waysBack(ctx, known.Subject)
	if err != nil {
		return nil, err
	}
	later, err := e.laterRuns(ctx, known)
	if err != nil {
		return nil, err
	}
	left := slices.DeleteFunc(slices.Clone(moved), func(u plan.Unit) bool {
		half := slices.ContainsFunc(before, func(r ledger.Run) bool { return present[u.Cluster].Run == r.Name })
		return !half && !slices.ContainsFunc(here, func(h plan.Unit) bool { return h.Cluster == u.Cluster })
	})
	for _, u := range left {
		for _, r := range later {
			writes, err := e.ledger.ListWrites(ctx, r.Name, u.Cluster)
			if err != nil {
				return nil, err
			}
			if len(writes) > 0 {
				return nil, fault.New(fault.Refused, "cannot roll back %s: run %s has begun to move %s since; roll that one back first",
					known.Name, r.Name, u.Cluster)
			}
		}
	}
	return left, nil
}

// laterRuns lists the open runs of a component that began after one, and do not take it back.
func (e *Engine) laterRuns(ctx context.Context, known ledger.Run) ([]ledger.Run, error) {
	all, err := e.ledger.ListRuns(ctx, known.Subject, recentRuns)
	return slices.DeleteFunc(all, func(r ledger.Run) bool {
		return !r.Started.After(known.Started) || r.Name == known.Name || r.Back == known.Name || !r.Ended.IsZero()
	}), err
}

// nobodyElse is fault.Refused while somebody else may move what a run has moved: workers that are there, or Temporal where it answers
// and nobody said that it makes no difference.
func (e *Engine) nobodyElse(ctx context.Context, known ledger.Run, anyhow bool) error {
	beats, err := e.ledger.ListBeats(ctx)
	if err != nil {
		return err
	}
	var there []string
	for _, b := range beats {
		if b.There(e.now()) {
			there = append(there, fmt.Sprintf("%s (there since %s, seen %s)", b.Worker, clockTime(b.Since), clockTime(b.Seen)))
		}
	}
	if len(there) > 0 {
		return fault.New(fault.Refused, "cannot roll back %s without Temporal: %s may still move it: %s; stop what is there; "+
			"one that was killed is taken for dead %s after it was seen last",
			known.Name, api.Counted(len(there), "worker"), strings.Join(there[:min(len(there), mostNamed)], ", "), ledger.BeatsWithin)
	}
	if anyhow {
		return nil
	}
	if where, answers := e.temporalAnswers(ctx, known.Name); answers {
		return fault.New(fault.Refused, "cannot roll back %s without Temporal: it answers at %s; start a worker and use: %s rollback %s; "+
			"where it answers and yet nothing moves, say --although-temporal-answers", known.Name, where, e.options.Program, known.Name)
	}
	return nil
}

// temporalAnswers asks Temporal for a run, and says where it is. That it listens and has no store is no answer.
func (e *Engine) temporalAnswers(ctx context.Context, run string) (string, bool) {
	server, err := e.Server(ctx)
	if err != nil {
		return "", false
	}
	ctx, cancel := context.WithTimeout(ctx, e.options.Query)
	defer cancel()
	_, err = server.Temporal.DescribeWorkflowExecution(ctx, run, "")
	var missing *serviceerror.NotFound
	return server.Address, err == nil || errors.As(err, &missing)
}

func clockTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }
