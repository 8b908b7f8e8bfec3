// Package direct takes a run back without Temporal, for the night in which that is gone: it does in one process, and in the order of a
// rollback, what a run's workflows would have activities do. It has no way of its own to move anything, and keeps what it has done in
// the ledger and in Leases, so that it may be killed at any moment and run again.
package direct

import (
	"context"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/activities/cluster"
	"sluice.dev/sluice/activities/cluster/pulse"
	"sluice.dev/sluice/activities/store"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/planstore"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/workflows/pace"
)

// Taker takes runs back. All fields are required.
type Taker struct {
	Near    *cluster.Activities
	Records *store.Activities
	Plans   planstore.Source
	Clock   clock.Clock
	Said    func(api.UnitStatus) // hears of each unit that begins or ends, one at a time
}

// Order is a run that takes back another one in some clusters.
type Order struct {
	Run      ledger.Run
	First    string // the run in whose name the version is frozen: once, however often it is begun again
	Clusters []string
}

// TakeBack moves clusters back: the last first and alone, then a third at once, a little apart. The second that fails ends it; one out
// of reach does not. What came of it is written down as how the run ended. Where ctx ends nothing else begins, what is under way stops
// between pods, and the run is aborted.
func (t Taker) TakeBack(ctx context.Context, o Order) (api.RunStatus, error) {
	stored, p, err := planstore.Load(ctx, t.Plans, o.Run.Plan)
	if err != nil {
		return api.RunStatus{}, err
	}
	window, err := plan.Backward(p, o.Clusters)
	if err != nil {
		return api.RunStatus{}, err
	}
	if err := t.freeze(ctx, o); err != nil {
		return api.RunStatus{}, err
	}
	units := t.all(ctx, o.Run, window)
	status := t.status(o.Run, p, units, ctx.Err() != nil)
	status.Origin = stored.Origin
	// However it was told to end, its end is written down.
	ctx = context.WithoutCancel(ctx)
	for i := range units {
		if units[i].Phase == api.PhaseUnreachable {
			if _, err := t.Records.Unobserved(ctx, t.ref(o.Run, window.Group.Units[i])); err != nil {
				return status, err
			}
		}
	}
	_, err = t.Records.SaveRun(ctx, status)
	return status, err
}

// freeze keeps what goes back from being started again, as each rollback does.
func (t Taker) freeze(ctx context.Context, o Order) error {
	run := o.Run
	_, err := t.Records.FreezeVersion(ctx, step.FreezeVersionRequest{
		Run: o.First, Plan: run.Plan, By: run.By, Reason: api.WhyRolledBack(run.Back, run.Reason),
	})
	return err
}

// all moves the units of a window, and returns how each ended, in the order of the window.
func (t Taker) all(ctx context.Context, run ledger.Run, window plan.Window) []api.UnitStatus {
	units := make([]api.UnitStatus, len(window.Group.Units))
	for i, u := range window.Group.Units {
		units[i] = api.UnitStatus{Path: u.Path, Cluster: u.Cluster, Group: u.Group, Phase: api.PhasePending}
	}
	type ended struct {
		index int
		unit  api.UnitStatus
	}
	ends, open := make(chan ended), 0
	for {
		states := make([]plan.State, len(units))
		for i := range units {
			states[i] = plan.StateOfBack(units[i].Phase)
		}
		now := window.Next(states)
		if ctx.Err() != nil {
			now.Start = nil
		}
		for _, i := range now.Start {
			units[i].Phase, units[i].Started = api.PhaseRollingBack, t.Clock.Now().UTC()
			t.Said(units[i])
			begun, u := units[i], window.Group.Units[i]
			apart := time.Duration(0)
			if len(now.Start) > 1 {
				apart = pace.Spread(run.Name, u.Cluster)
			}
			open++
			go func() { ends <- ended{i, t.unit(ctx, run, u, begun, apart)} }()
		}
		if open == 0 {
			return units
		}
		end := <-ends
		open--
		units[end.index] = end.unit
		t.Said(end.unit)
	}
}

// unit moves one unit back, a while from now, and says how it ended.
func (t Taker) unit(ctx context.Context, run ledger.Run, u plan.Unit, unit api.UnitStatus, apart time.Duration) api.UnitStatus {
	err := pulse.Pause(ctx, t.Clock, apart)
	if err == nil {
		err = t.back(ctx, t.ref(run, u), &unit)
	}
	unit.Ended, unit.Phase = t.Clock.Now().UTC(), phaseOf(ctx, err)
	if err != nil {
		unit.FailedAt = unit.Path
		unit.Failure = &api.Check{Name: "rollback", At: api.AtRollback, Verdict: api.Error, Message: err.Error()}
	}
	return unit
}

// phaseOf is how a unit ended whose way back came to an error, or to its end.
func phaseOf(ctx context.Context, err error) api.Phase {
	switch {
	case err == nil:
		return api.PhaseRolledBack
	case ctx.Err() != nil:
		return api.PhaseAborted
	case fault.CodeOf(err) == fault.Unreachable:
		return api.PhaseUnreachable
	}
	return api.PhaseFailed
}

func (t Taker) ref(run ledger.Run, u plan.Unit) step.Ref {
	return step.Ref{
		Run: run.Name, Plan: run.Plan, Subject: run.Subject, Cluster: u.Cluster, Context: u.Context, Back: true, BackOf: run.Back,
	}
}

// status is how the run has ended: it went all the way, was told to end before, or failed.
func (t Taker) status(run ledger.Run, p *plan.Plan, units []api.UnitStatus, told bool) api.RunStatus {
	s := api.RunStatus{
		Name: run.Name, Subject: run.Subject, Version: run.Version, Pipeline: p.Pipeline, Plan: run.Plan, Back: run.Back,
		Phase: api.PhaseRolledBack, By: run.By, Reason: run.Reason, Started: run.Started, Ended: t.Clock.Now().UTC(),
		Stages: []api.StageStatus{},
	}
	done := 0
	for _, u := range units {
		switch u.Phase {
		case api.PhaseRolledBack:
			done++
		case api.PhaseFailed, api.PhaseUnreachable:
			s.Failed++
		}
	}
	switch {
	case done == len(units):
	case told:
		s.Phase = api.PhaseAborted
	default:
		s.Phase = api.PhaseFailed
	}
	s.Percent = 100 * done / max(len(units), 1)
	for i := range p.Stages {
		stage := api.StageStatus{Name: p.Stages[i].Name, Phase: s.Phase}
		for _, u := range units {
			if _, of, there := p.Unit(u.Cluster); there && of.Name == stage.Name {
				u.Stage = stage.Name
				stage.Units = append(stage.Units, u)
			}
		}
		if len(stage.Units) > 0 {
			s.Stages = append(s.Stages, stage)
		}
	}
	return s
}
