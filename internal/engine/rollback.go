package engine

import (
	"context"
	"fmt"
	"slices"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

// takeBack has a run take back what an ended one moved and left so. Where one that is open does so already, no other is started.
func (e *Engine) takeBack(ctx context.Context, known ledger.Run, c api.Command) (api.Answer, error) {
	planned, err := e.LoadPlan(ctx, known.Plan)
	if err != nil {
		return api.Answer{}, err
	}
	moved, err := e.goesHome(ctx, known, planned, c.Scope)
	if err != nil {
		return api.Answer{}, err
	}
	units, err := e.stillThere(ctx, known, moved)
	if err != nil {
		return api.Answer{}, err
	}
	if len(units) == 0 {
		if !c.Scope.Whole() && !inPlan(planned.Plan, c.Scope) {
			return api.Answer{}, fault.New(fault.Refused, "cannot roll back %s: it has no %s", known.Name, c.Scope)
		}
		return api.Answer{Message: fmt.Sprintf("%s: nothing of %s is left to take back", known.Name, c.Scope)}, nil
	}
	names, back, err := wayHome(planned, units)
	if err != nil {
		return api.Answer{}, err
	}
	t := api.TakingBack{Run: known.Name, Scope: c.Scope, Units: back}
	if c.DryRun {
		said := fmt.Sprintf("a run of its own would take back %s of %s, %s", c.Scope, known.Name, api.Counted(len(names), "unit"))
		return api.Answer{Message: said, Units: t.Lines(), Back: &t}, nil
	}
	t.By, err = e.goesBack(ctx, known, names)
	if err == nil && t.By == "" {
		t.By, err = e.startBack(ctx, known, planned, names, c)
	}
	if err != nil {
		return api.Answer{}, err
	}
	answer := api.Answer{
		Message: fmt.Sprintf("run %s takes back %s of %s, %s", t.By, c.Scope, known.Name, api.Counted(len(names), "unit")),
		Units:   t.Lines(), Back: &t,
	}
	return answer, e.audit(ctx, ledger.Entry{
		Who: c.Who, Command: api.UpdateRollback, Object: known.Name, Scope: c.Scope.String(), Reason: c.Reason, Outcome: answer.Message,
	})
}

// goesHome lists the units in a scope that a run has moved and not taken back. It is fault.Refused for a run that cannot be rolled back.
func (e *Engine) goesHome(ctx context.Context, known ledger.Run, planned *Planned, scope api.Scope) ([]plan.Unit, error) {
	if planned.Plan.Rollback == pipelines.RollbackNever {
		return nil, fault.New(fault.Refused, "cannot roll back %s: component %s says rollback: Never", known.Name, known.Subject)
	}
	if known.Back != "" {
		return nil, fault.New(fault.Refused,
			"cannot roll back %s: it is itself a rollback, of %s; to go forward again, start a plan", known.Name, known.Back)
	}
	moved, err := e.moved(ctx, known, planned)
	return slices.DeleteFunc(moved, func(u plan.Unit) bool { return !inScope(planned.Plan, u, scope) }), err
}

// startBack starts a run that takes back some clusters of an ended one, and names it.
func (e *Engine) startBack(ctx context.Context, known ledger.Run, planned *Planned, clusters []string, c api.Command) (string, error) {
	if err := e.alone(ctx, known.Subject, clusters); err != nil {
		return "", err
	}
	run, err := e.start(ctx, planned, ledger.Run{
		Plan: known.Plan, Live: known.Live, Subject: known.Subject, Version: known.Version, Back: known.Name, Drill: known.Drill,
		Phase: string(api.PhasePending), Started: e.now(), By: c.Who, Reason: c.Reason,
	}, api.RolloutInput{
		Plan: known.Plan, By: c.Who, Reason: c.Reason, Back: &api.BackInput{Run: known.Name, Units: clusters},
	})
	return run.Name, err
}

// moved lists the units that a run has moved and not taken back. Where the run left no report, its writes say it.
func (e *Engine) moved(ctx context.Context, known ledger.Run, planned *Planned) ([]plan.Unit, error) {
	touched := map[string]bool{}
	if known.Report == "" {
		for _, u := range planned.Plan.AllUnits() {
			writes, err := e.ledger.ListWrites(ctx, known.Name, u.Cluster)
			if err != nil {
				return nil, err
			}
			touched[u.Cluster] = len(writes) > 0
		}
		return pick(planned.Plan, touched), nil
	}
	view, err := e.ended(ctx, known)
	if err != nil {
		return nil, err
	}
	for _, s := range view.Stages {
		for _, u := range s.Units {
			touched[u.Cluster] = u.Moved && u.Phase != api.PhaseRolledBack
		}
	}
	return pick(planned.Plan, touched), nil
}

func pick(p *plan.Plan, wanted map[string]bool) []plan.Unit {
	return slices.DeleteFunc(p.AllUnits(), func(u plan.Unit) bool { return !wanted[u.Cluster] })
}

// stillThere leaves out the units that an earlier rollback of this run has taken back, and refuses where a later run has
// put something else.
func (e *Engine) stillThere(ctx context.Context, known ledger.Run, units []plan.Unit) ([]plan.Unit, error) {
	back, err := e.waysBack(ctx, known.Subject)
	if err != nil {
		return nil, err
	}
	var here []plan.Unit
	var later []string
	for _, u := range units {
		now := back[u.Cluster]
		if gone, err := e.givenBack(ctx, known, u, now); err != nil || gone {
			if err != nil {
				return nil, err
			}
			continue
		}
		// A unit that did not end well has still on record what was there before the run.
		if now.Run == known.Name || now.Run == u.WayBack.Run || now.Target == u.Target {
			here = append(here, u)
			continue
		}
		by, err := e.ledger.Run(ctx, now.Run)
		if err != nil && fault.CodeOf(err) != fault.NotFound {
			return nil, err
		}
		if by.Back != known.Name {
			later = append(later, fmt.Sprintf("%s (%s)", u.Cluster, runs(now)))
		}
	}
	if len(later) > 0 {
		return nil, fault.New(fault.Refused, "cannot roll back %s: other runs have moved %s since; %s",
			known.Name, few(later), e.instead(known.Name, here))
	}
	return here, nil
}

// mostNamed is how many clusters a hint names; a longer command is not pasted.
const mostNamed = 20

// instead is what can be done where other runs have moved some of the clusters since.
func (e *Engine) instead(run string, here []plan.Unit) string {
	if len(here) == 0 {
		return "roll those runs back instead"
	}
	if len(here) > mostNamed {
		return fmt.Sprintf("roll those back first, or take back the other %s with: %s rollback %s --cluster NAMES",
			api.Counted(len(here), "unit"), e.options.Program, run)
	}
	hint := fmt.Sprintf("roll those back first, or take back the rest with: %s rollback %s", e.options.Program, run)
	for _, u := range here {
		hint += " --cluster " + u.Cluster
	}
	return hint
}

// givenBack reports whether a unit where nothing was recorded before has been given back what it had: then nothing on record
// tells it from one that never went so far.
func (e *Engine) givenBack(ctx context.Context, known ledger.Run, u plan.Unit, now plan.WayBack) (bool, error) {
	if u.WayBack.Exists() || now.Exists() {
		return false, nil
	}
	images, err := e.ledger.ListPreImages(ctx, known.Name, u.Cluster, known.Subject)
	if err != nil {
		return false, err
	}
	still := slices.ContainsFunc(images, func(p ledger.PreImage) bool { return p.TakenBack == "" })
	return len(images) > 0 && !still, nil
}

// wayHome is the order in which units go back, and where to.
func wayHome(planned *Planned, units []plan.Unit) (names []string, back []api.UnitBack, err error) {
	clusters := make([]string, len(units))
	for i, u := range units {
		clusters[i] = u.Cluster
	}
	window, err := plan.Backward(planned.Plan, clusters)
	if err != nil {
		return nil, nil, err
	}
	for _, u := range window.Group.Units {
		names = append(names, u.Cluster)
		back = append(back, api.UnitBack{Path: u.Path, Cluster: u.Cluster, WayBack: planned.Live.WayBack(&u).String()})
	}
	return names, back, nil
}

func inPlan(p *plan.Plan, scope api.Scope) bool {
	return slices.ContainsFunc(p.AllUnits(), func(u plan.Unit) bool { return inScope(p, u, scope) })
}

func inScope(p *plan.Plan, u plan.Unit, scope api.Scope) bool {
	switch {
	case scope.Whole(), scope.Group != "" && scope.Group == u.Group, slices.Contains(scope.Clusters, u.Cluster):
		return true
	case scope.Stage == "":
		return false
	}
	for i := range p.Stages {
		if p.Stages[i].Name != scope.Stage {
			continue
		}
		for _, g := range p.Stages[i].Groups {
			if slices.ContainsFunc(g.Units, func(other plan.Unit) bool { return other.Cluster == u.Cluster }) {
				return true
			}
		}
	}
	return false
}
