package engine

import (
	"context"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
)

// The states of a plan in a list. Only a ready one would be started now.
const (
	PlanReady   = "ready"
	PlanRefused = "refused" // a rule says no
	PlanUnseen  = "unseen"  // nobody could look at the clusters
	PlanStale   = "stale"   // something else was deployed since
	PlanBusy    = "busy"    // another run moves its clusters
	PlanDone    = "done"    // there is nothing to do
	PlanNarrow  = "narrow"  // it goes past stages, and needs a reason
)

// ListedPlan is a plan of a list, and whether it can run.
type ListedPlan struct {
	ledger.Plan
	State string `json:"state"`
}

// Plans lists the newest plans first; component "" means all.
func (e *Engine) Plans(ctx context.Context, component string, limit int) ([]ListedPlan, error) {
	return items(e.PlansPage(ctx, component, Part{Page: ledger.Page{Limit: limit}}))
}

// PlansPage is a part of that list.
func (e *Engine) PlansPage(ctx context.Context, component string, p Part) (Page[ListedPlan], error) {
	judge := planJudge{engine: e, back: map[api.Subject]map[string]plan.WayBack{}, open: map[api.Subject][]openRun{}}
	subject := api.ParseSubject(component)
	return page(p.Page, func(p ledger.Page) ([]ledger.Marked[ledger.Plan], error) { return e.ledger.PagePlans(ctx, subject, p) },
		func(known ledger.Plan) (ListedPlan, bool, error) {
			if !p.sees(known.Subject.String()) {
				return ListedPlan{}, false, nil
			}
			state, err := judge.state(ctx, known)
			if err != nil {
				return ListedPlan{}, false, fault.Wrap(fault.CodeOf(err), err, "cannot tell whether plan %.12s can run", known.Hash)
			}
			return ListedPlan{known, state}, true, nil
		})
}

// planJudge tells what run would say of plans. What many plans are judged by is asked once.
type planJudge struct {
	engine *Engine
	back   map[api.Subject]map[string]plan.WayBack // by component, by cluster
	open   map[api.Subject][]openRun               // by component
}

// state looks at what run looks at, in the same order.
func (j *planJudge) state(ctx context.Context, p ledger.Plan) (string, error) {
	planned, err := j.engine.LoadPlan(ctx, p.Hash)
	if err != nil {
		return "", err
	}
	if planned.Refused() != nil {
		return PlanRefused, nil
	}
	if planned.Live == nil {
		return PlanUnseen, nil
	}
	back, open, err := j.about(ctx, p.Subject)
	if err != nil {
		return "", err
	}
	if planned.idle(back) != nil {
		return PlanDone, nil
	}
	if len(planned.stale(back)) > 0 {
		return PlanStale, nil
	}
	if len(planned.Plan.Bypasses) > 0 && planned.Plan.BypassReason() == "" {
		return PlanNarrow, nil
	}
	switch err := j.engine.bypassed(ctx, planned.Plan, ""); {
	case fault.CodeOf(err) == fault.Refused:
		return PlanStale, nil
	case err != nil:
		return "", err
	}
	var clusters []string
	for _, u := range planned.Plan.AllUnits() {
		clusters = append(clusters, u.Cluster)
	}
	others, err := j.engine.moving(ctx, p.Subject, open, clusters)
	if err != nil {
		return "", err
	}
	if len(others) > 0 {
		return PlanBusy, nil
	}
	return PlanReady, nil
}

func (j *planJudge) about(ctx context.Context, subject api.Subject) (map[string]plan.WayBack, []openRun, error) {
	if back, known := j.back[subject]; known {
		return back, j.open[subject], nil
	}
	back, err := j.engine.waysBack(ctx, subject)
	if err != nil {
		return nil, nil, err
	}
	open, err := j.engine.openRuns(ctx, subject)
	if err != nil {
		return nil, nil, err
	}
	j.back[subject], j.open[subject] = back, open
	return back, open, nil
}
