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

// CatchUp is what brings clusters that joined, or were missed, to the last version that went all the way.
type CatchUp struct {
	Through ledger.Run `json:"through"` // the run that took the version all the way
	Behind  []string   `json:"behind"`  // clusters that the plan is for, in its order
	Others  []string   `json:"others"`  // clusters that run something else since, and are left as they are: each with what
	Planned *Planned   `json:"planned,omitempty"`
}

// CatchUp plans the last version of a component that went all the way, as the same files say it, for the clusters that it has not
// reached: those in which nothing was deployed, and those that still run what is older. A cluster into which something was deployed
// since is left as it is. It is fault.NotFound where no version went all the way, and fault.Refused where the files say something
// else by that version now. Where no cluster is behind there is no plan.
func (e *Engine) CatchUp(ctx context.Context, req PlanRequest) (*CatchUp, error) {
	req.By = e.named(req.By)
	through, planned, err := e.through(ctx, api.Component(req.Component))
	if err != nil {
		return nil, err
	}
	docs, err := e.Documents(ctx, req.Files)
	if err != nil {
		return nil, err
	}
	req.Version = through.Version
	whole, err := e.build(ctx, docs, req)
	if err != nil {
		return nil, err
	}
	if err := req.may(whole, nil); err != nil {
		return nil, err
	}
	if whole.Digest != planned.Plan.Digest {
		return nil, fault.New(fault.Refused,
			"cannot catch up %s: its files say something else by %s than what %s took through; plan it as a version of its own",
			req.Component, through.Version, through.Name)
	}
	out := &CatchUp{Through: through}
	if out.Behind, out.Others, err = e.behind(ctx, whole, through); err != nil || len(out.Behind) == 0 {
		return out, err
	}
	req.Only, req.Exclude = out.Behind, nil
	out.Planned, err = e.planOf(ctx, docs, req)
	return out, err
}

// through is the newest run of a component that took its version all the way, and its plan.
func (e *Engine) through(ctx context.Context, subject api.Subject) (ledger.Run, *Planned, error) {
	all, err := e.ledger.ListRuns(ctx, subject, 0)
	if err != nil {
		return ledger.Run{}, nil, err
	}
	takenBack := map[string]bool{}
	for _, run := range all {
		if run.Back != "" {
			takenBack[run.Back] = true
			continue
		}
		if run.Phase != string(api.PhaseSucceeded) || run.Ended.IsZero() || run.Report == "" || takenBack[run.Name] {
			continue
		}
		planned, err := e.LoadPlan(ctx, run.Plan)
		if err != nil {
			return ledger.Run{}, nil, err
		}
		if whole, err := e.wentAllTheWay(ctx, run, planned.Plan); err != nil || whole {
			return run, planned, err
		}
	}
	return ledger.Run{}, nil, fault.New(fault.NotFound, "cannot catch up %s: no version of it has gone all the way yet", subject)
}

// wentAllTheWay reports whether a run that succeeded left nobody out who had not passed, and no unit of it failed.
func (e *Engine) wentAllTheWay(ctx context.Context, run ledger.Run, p *plan.Plan) (bool, error) {
	if p.Partial {
		return false, nil
	}
	report, err := e.reportOf(ctx, run)
	if err != nil {
		return false, err
	}
	if report.Retry != "" || len(report.LeftOut()) > 0 {
		return false, nil // of a part, or without somebody
	}
	for i := range report.Stages {
		if slices.ContainsFunc(report.Stages[i].Units, func(u api.UnitStatus) bool { return u.Phase == api.PhaseFailed }) {
			return false, nil
		}
	}
	return e.unaborted(ctx, run.Name)
}

// behind divides the clusters of a plan by what is deployed in them: those that are behind a run, and those that run something else
// which came later.
func (e *Engine) behind(ctx context.Context, p *plan.Plan, through ledger.Run) (behind, others []string, err error) {
	present, err := e.ledger.ListDeployments(ctx, "", p.Subject)
	if err != nil {
		return nil, nil, err
	}
	there := map[string]ledger.Deployment{}
	for _, d := range present {
		there[d.Cluster] = d
	}
	started := map[string]time.Time{through.Name: through.Started}
	for _, u := range p.AllUnits() {
		d, deployed := there[u.Cluster]
		switch {
		case !deployed:
			behind = append(behind, u.Cluster)
			continue
		case d.Target == u.Target:
			continue
		}
		if _, known := started[d.Run]; !known {
			run, err := e.ledger.Run(ctx, d.Run)
			if err != nil && fault.CodeOf(err) != fault.NotFound {
				return nil, nil, err
			}
			started[d.Run] = run.Started
		}
		if started[d.Run].Before(through.Started) {
			behind = append(behind, u.Cluster)
			continue
		}
		others = append(others, fmt.Sprintf("%s runs %s of %s", u.Cluster, d.Version, d.Run))
	}
	return behind, others, nil
}
