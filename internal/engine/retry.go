package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
)

// retry starts a run over what one that has ended has not brought to its end, by the plan that is on record: nothing is rendered from
// files anew.
func (e *Engine) retry(ctx context.Context, known ledger.Run, c api.Command) (api.Answer, error) {
	no := func(why string, args ...any) (api.Answer, error) {
		return api.Answer{}, fault.New(fault.Refused, "cannot retry %s: %s", known.Name, fmt.Sprintf(why, args...))
	}
	switch {
	case known.Drill != "":
		return no("it was of drill %s, and its version is bad", known.Drill)
	case known.Back != "":
		return no("it is itself a rollback, of %s; take that back once more", known.Back)
	case known.Phase == string(api.PhaseRolledBack):
		return no("it was taken back; plan what is mended")
	case known.Report == "":
		return no("it left no report; plan again")
	}
	planned, err := e.LoadPlan(ctx, known.Plan)
	if err != nil {
		return api.Answer{}, err
	}
	view, err := e.ended(ctx, known)
	if err != nil {
		return api.Answer{}, err
	}
	back, err := e.waysBack(ctx, known.Subject)
	if err != nil {
		return api.Answer{}, err
	}
	units, since := unfinished(planned.Plan, view.Stages, c.Failed, back)
	switch {
	case len(since) > 0:
		return no("what runs in %s has changed since; plan again", few(since))
	case len(units) == 0:
		return api.Answer{Message: fmt.Sprintf("%s: nothing of it is left to try again", known.Name)}, nil
	}
	if stage := unproved(planned.Plan, view.Stages, units); stage != "" {
		return no("%s has moved and has not come to its end, and none of its clusters is to be tried again: "+
			"its soak, checks and approvals would be passed by; plan again", stage)
	}
	part := onlyClusters(planned.Plan, units)
	if err := e.alone(ctx, known.Subject, units); err != nil {
		return no("%v", err)
	}
	if err := e.remembered(ctx, known.Subject); err != nil {
		return api.Answer{}, fault.Wrap(fault.CodeOf(err), err, "cannot retry %s", known.Name)
	}
	if err := e.placed(ctx, part); err != nil {
		return no("%v", err)
	}
	if err := e.bypassed(ctx, planned.Plan, cmp.Or(c.Reason, known.Reason)); err != nil {
		return no("%v", err)
	}
	if short := short(part, c.Who); short != "" {
		return no("%s", short)
	}
	reason := cmp.Or(c.Reason, "what "+known.Name+" left")
	run := ledger.Run{
		Plan: known.Plan, Live: known.Live, Subject: known.Subject, Version: known.Version,
		Phase: string(api.PhasePending), Started: e.now(), By: c.Who, Reason: reason,
	}
	if err := e.judge(ctx, planned, run); err != nil {
		return api.Answer{}, err
	}
	if err := e.refusedByPolicy(planned); err != nil {
		return no("%v", err)
	}
	holds, err := e.thawed(ctx, run, part)
	if err != nil {
		return no("%v", err)
	}
	run, err = e.start(ctx, planned, run, api.RolloutInput{
		Plan: known.Plan, By: c.Who, Reason: reason, Holds: holds, Retry: &api.RetryInput{Run: known.Name, Units: units},
	})
	if err != nil {
		return api.Answer{}, err
	}
	said := fmt.Sprintf("run %s tries again what %s left, %s: %s", run.Name, known.Name, api.Counted(len(units), "unit"), few(units))
	answer := api.Answer{Message: said}
	return answer, e.audit(ctx, ledger.Entry{
		Who: c.Who, Command: api.UpdateRetry, Object: known.Name, Scope: c.Scope.String(), Reason: c.Reason, Outcome: answer.Message,
	})
}

// unfinished lists, in plan order, the clusters that a run has not brought to its end, and those of them where something else was
// deployed since. What a person left out is none of them, and what a later run has brought there is done. Failed leaves out what
// never had its turn.
func unfinished(p *plan.Plan, stages []api.StageStatus, failed bool, now map[string]plan.WayBack) (units, since []string) {
	phases := []api.Phase{api.PhaseFailed, api.PhaseMissed}
	if !failed {
		phases = append(phases, api.PhaseAborted, api.PhaseSkipped)
	}
	wanted := map[string]bool{}
	for _, s := range stages {
		for i := range s.Units {
			u := &s.Units[i]
			wanted[u.Cluster] = slices.Contains(phases, u.Phase) && !u.LeftOut()
		}
	}
	for _, u := range pick(p, wanted) {
		switch here := now[u.Cluster]; {
		case here == u.WayBack:
			units = append(units, u.Cluster)
		case here.Target != u.Target || here.Version != p.Version:
			since = append(since, fmt.Sprintf("%s (%s then, %s now)", u.Cluster, runs(u.WayBack), runs(here)))
		}
	}
	return units, since
}

// unproved names the stage, or the group of a stage, that a retry would pass by although it never came to its end: none of its clusters
// is among those that are tried again, some that come after it are, and nothing after it has ever begun. "" where there is none.
func unproved(p *plan.Plan, stages []api.StageStatus, units []string) string {
	began := map[string]bool{}
	for i := range stages {
		for _, u := range stages[i].Units {
			began[u.Cluster] = !u.Started.IsZero() || stages[i].Rejected != nil
		}
	}
	type part struct {
		name     string
		clusters []plan.Unit
	}
	var parts []part
	for i := range p.Stages {
		s := &p.Stages[i]
		for j := range s.Groups {
			name := "stage " + s.Name
			if len(s.Groups) > 1 {
				name = "cluster group " + s.Groups[j].Name + " of " + name
			}
			parts = append(parts, part{name, s.Groups[j].Units})
		}
	}
	for i, at := range parts {
		again := func(u plan.Unit) bool { return slices.Contains(units, u.Cluster) }
		if len(at.clusters) == 0 || slices.ContainsFunc(at.clusters, again) {
			continue
		}
		later := false
		for _, after := range parts[i+1:] {
			if slices.ContainsFunc(after.clusters, func(u plan.Unit) bool { return began[u.Cluster] }) {
				later = false
				break
			}
			later = later || slices.ContainsFunc(after.clusters, again)
		}
		if later {
			return at.name
		}
	}
	return ""
}

// onlyClusters is a plan without any other clusters than these.
func onlyClusters(p *plan.Plan, clusters []string) *plan.Plan {
	part := *p
	part.Stages = slices.Clone(p.Stages)
	for i := range part.Stages {
		part.Stages[i].Groups = plan.Keep(part.Stages[i].Groups, clusters)
	}
	return &part
}
