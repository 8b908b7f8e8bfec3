package unit

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
	"sluice.dev/sluice/workflows/ask"
	"sluice.dev/sluice/workflows/pace"
	"sluice.dev/sluice/workflows/show"
)

// look returns what is there now, and what keeps pods from being ready.
type look func(workflow.Context) (api.Facts, error)

// judge runs the checks of a point and returns once they hold. at is the batch they are about, nil for the cluster.
func (r *machine) judge(ctx workflow.Context, point pipelines.Point, at *api.BatchStatus, look look) error {
	return r.judgeBy(ctx, r.checksAt(point), point, at, look)
}

func (r *machine) judgeBy(
	ctx workflow.Context, checks []pipelines.ResolvedCheck, point pipelines.Point, at *api.BatchStatus, look look,
) error {
	if len(checks) == 0 {
		return nil
	}
	for {
		r.set(ctx, api.PhaseChecking, &api.Waiting{Kind: api.WaitCheck, Name: string(point)})
		seen, err := look(ctx)
		if err != nil {
			return err
		}
		found, err := r.verdicts(ctx, step.EvaluateRequest{Point: point, Checks: checks, Facts: seen.Facts}, at)
		if err != nil {
			return err
		}
		r.note(at, found)
		bad, held := plan.FirstBad(found)
		if !held {
			r.keepStuck(at, nil)
			return nil
		}
		r.keepStuck(at, seen.Stuck)
		if err := r.stand(ctx, api.PhaseHeld, bad, at); err != nil || borne(at) {
			return err
		}
	}
}

// verdicts are what checks make of facts. Those that are more than rules look for themselves, at the workloads of the batch or of
// the cluster.
func (r *machine) verdicts(ctx workflow.Context, req step.EvaluateRequest, at *api.BatchStatus) ([]api.Check, error) {
	if !ask.Measures(req.Checks) {
		return ask.Gates(ctx, req), nil
	}
	measured := step.ChecksRequest{Ref: r.in.Ref, Point: req.Point, Checks: req.Checks, Facts: req.Facts, Changes: r.diff.Changes}
	for _, h := range r.held {
		if at == nil || at.Workload == h.object {
			measured.Workloads = append(measured.Workloads, r.requestFor(h))
		}
	}
	return do(ctx, r, near(r, step.Ask, "checks "+string(req.Point)+" of "+r.pathOf(at), measured))
}

// keepStuck notes what keeps pods from being ready where a check stands, with the batch: the last one, where it is about all of
// the cluster.
func (r *machine) keepStuck(at *api.BatchStatus, seen *api.Stuck) {
	if at == nil && len(r.unit.Batches) > 0 {
		at = &r.unit.Batches[len(r.unit.Batches)-1]
	}
	if at != nil {
		at.Stuck = seen
	}
}

// stand stops at a check that did not pass, until somebody decides, unless the cluster bears that the batch has failed.
func (r *machine) stand(ctx workflow.Context, phase api.Phase, bad api.Check, at *api.BatchStatus) error {
	says, borne := r.bears(bad, at)
	if borne {
		return nil
	}
	if says != "" {
		bad.Message += "; " + says
	}
	if at != nil {
		at.Phase = phase
	}
	return r.hold(ctx, phase, bad, r.pathOf(at))
}

func (r *machine) pathOf(at *api.BatchStatus) string {
	if at == nil {
		return r.unit.Path
	}
	return at.Path
}

// looker looks at one batch.
func (r *machine) looker(req step.AdvanceRequest) look {
	return func(ctx workflow.Context) (api.Facts, error) {
		req.State = r.stateOf(req.Object)
		return do(ctx, r, near(r, step.Look, "look at "+req.Object, req))
	}
}

// lookCluster looks at all of the component's workloads in the cluster and adds them up.
func (r *machine) lookCluster(ctx workflow.Context) (api.Facts, error) {
	facts := rule.Facts{Unit: r.plan.Unit, Change: r.plan.Change}
	var stuck *api.Stuck
	for _, h := range r.held {
		one, err := r.looker(r.requestFor(h))(ctx)
		if err != nil {
			return api.Facts{Facts: facts}, err
		}
		facts.Workload = facts.Workload.Plus(one.Facts.Workload)
		facts.Workload.Name = r.in.Subject.String()
		if stuck == nil {
			stuck = one.Stuck
		}
	}
	return api.Facts{Facts: facts, Stuck: stuck}, nil
}

// checksAt returns the unit's checks of a point.
func (r *machine) checksAt(point pipelines.Point) []pipelines.ResolvedCheck {
	return pipelines.ChecksAt(r.plan.Rules.Checks, point)
}

// union adds the checks of b that a does not have.
func union(a, b []pipelines.ResolvedCheck) []pipelines.ResolvedCheck {
	for _, c := range b {
		if !slices.ContainsFunc(a, func(x pipelines.ResolvedCheck) bool { return x.Name == c.Name }) {
			a = append(a, c)
		}
	}
	return a
}

// note keeps the latest verdict of each check with the batch, or with the cluster where at is nil, as far as there is room.
func (r *machine) note(at *api.BatchStatus, found []api.Check) {
	list := &r.unit.Checks
	if at != nil {
		list = &at.Checks
	}
	for _, f := range found {
		i := slices.IndexFunc(*list, func(c api.Check) bool { return c.Name == f.Name && c.At == f.At })
		if i < 0 {
			*list = append(*list, f)
			continue
		}
		(*list)[i] = f
	}
	if len(found) > 0 {
		show.SpareUnit(&r.unit, at, pace.Tuned().SaidOfUnit)
	}
}
