package workflows

import (
	"slices"
	"strconv"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// look returns what is there now, and what keeps pods from being ready.
type look func(workflow.Context) (api.Facts, error)

// judge runs the checks of a point and returns once they hold. at is the batch they are about, nil for the cluster.
func (r *clusterRollout) judge(ctx workflow.Context, point pipelines.Point, at *api.BatchStatus, look look) error {
	checks := pipelines.ChecksAt(r.plan.Rules.Checks, point)
	if len(checks) == 0 {
		return nil
	}
	for {
		r.set(ctx, api.PhaseChecking, &api.Waiting{Kind: "check", Name: string(point)})
		seen, err := look(ctx)
		if err != nil {
			return err
		}
		found := evaluate(ctx, step.EvaluateRequest{Point: point, Checks: checks, Facts: seen.Facts})
		r.note(at, found)
		bad, held := api.FirstBad(found)
		if !held {
			r.keepStuck(at, nil)
			return nil
		}
		r.keepStuck(at, seen.Stuck)
		if err := r.stand(ctx, api.PhaseHeld, bad, at); err != nil {
			return err
		}
	}
}

// soak waits, durably, while checks keep looking at workloads. What was out of sight meanwhile, or stood at a check, is
// looked at again for a while, however late it is.
func (r *clusterRollout) soak(ctx workflow.Context, quiet pipelines.Duration, at *api.BatchStatus, end pipelines.Point, workloads func() []step.AdvanceRequest) error {
	until := workflow.Now(ctx).Add(time.Duration(quiet))
	for {
		left := until.Sub(workflow.Now(ctx))
		if left <= 0 {
			return nil
		}
		before := workflow.Now(ctx)
		if err := r.obey(ctx); err != nil {
			return err
		}
		until = until.Add(workflow.Now(ctx).Sub(before)) // a pause is no part of it
		r.set(ctx, api.PhaseSoaking, &api.Waiting{Kind: "soak", Name: string(end), Until: until.UTC()})
		seen, err := r.watchFor(ctx, left, workloads())
		switch {
		case err == nil:
			r.here(ctx)
			r.note(at, seen.Checks)
			bad, held := api.FirstBad(seen.Checks)
			if !held {
				r.keepStuck(at, nil)
				continue
			}
			r.keepStuck(at, seen.Stuck)
			err = r.stand(ctx, api.PhaseHeld, bad, at)
		case temporal.IsCanceledError(err):
			if ctx.Err() != nil {
				return err
			}
			continue
		case codeOf(err) == fault.Unreachable:
			err = r.awaitCluster(ctx, err)
		default:
			failure := api.Check{Name: "watch during soak", At: string(end), Verdict: api.Error, Message: messageOf(err)}
			err = r.hold(ctx, api.PhaseHeld, failure, r.pathOf(at))
		}
		if err != nil {
			return err
		}
		until = lookAgain(ctx, until, time.Duration(quiet))
	}
}

// lookAgain is until when a soak lasts after something was out of sight.
func lookAgain(ctx workflow.Context, until time.Time, quiet time.Duration) time.Time {
	if again := workflow.Now(ctx).Add(min(quiet, time.Minute)); again.After(until) {
		return again
	}
	return until
}

// watchFor looks for as long as the timer runs, and once at its end, or until a check does not pass. It returns what that
// saw, and a cancelled error where an order came in between.
func (r *clusterRollout) watchFor(ctx workflow.Context, left time.Duration, workloads []step.AdvanceRequest) (api.Facts, error) {
	var seen api.Facts
	ctx, cancel := workflow.WithCancel(ctx)
	r.cancel = cancel
	defer func() { r.cancel = nil; cancel() }()
	whole := wholeSeconds(left)
	timer := workflow.NewTimerWithOptions(ctx, whole, workflow.TimerOptions{Summary: "soak " + whole.String()})
	if slices.ContainsFunc(workloads, func(w step.AdvanceRequest) bool { return len(w.Checks) > 0 }) {
		req := step.ObserveRequest{Ref: r.in.Ref, For: left, Workloads: workloads}
		var err error
		if seen, err = near(r, step.Observe, "look while it soaks", req).get(ctx); err != nil {
			return seen, err
		}
		if _, held := api.FirstBad(seen.Checks); held {
			return seen, nil
		}
	}
	return seen, timer.Get(ctx, nil)
}

// wholeSeconds rounds up to what timers count.
func wholeSeconds(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}

// keepStuck notes what keeps pods from being ready where a check stands, with the batch: the last one, where it is about all of
// the cluster.
func (r *clusterRollout) keepStuck(at *api.BatchStatus, seen *api.Stuck) {
	if at == nil && len(r.unit.Batches) > 0 {
		at = &r.unit.Batches[len(r.unit.Batches)-1]
	}
	if at != nil {
		at.Stuck = seen
	}
}

// stand stops at a check that did not pass, until somebody decides.
func (r *clusterRollout) stand(ctx workflow.Context, phase api.Phase, bad api.Check, at *api.BatchStatus) error {
	if at != nil {
		at.Phase = phase
	}
	return r.hold(ctx, phase, bad, r.pathOf(at))
}

func (r *clusterRollout) pathOf(at *api.BatchStatus) string {
	if at == nil {
		return r.unit.Path
	}
	return at.Path
}

// looker looks at one batch.
func (r *clusterRollout) looker(req step.AdvanceRequest) look {
	return func(ctx workflow.Context) (api.Facts, error) {
		req.State = r.stateOf(req.Object)
		return do(ctx, r, near(r, step.Look, "look at "+req.Object, req))
	}
}

// lookCluster looks at all of the component's workloads in the cluster and adds them up.
func (r *clusterRollout) lookCluster(ctx workflow.Context) (api.Facts, error) {
	facts := rule.Facts{Unit: r.plan.Unit, Change: r.plan.Change}
	var stuck *api.Stuck
	for _, h := range r.held {
		one, err := r.looker(r.requestFor(h))(ctx)
		if err != nil {
			return api.Facts{Facts: facts}, err
		}
		facts.Workload = facts.Workload.Plus(one.Facts.Workload)
		facts.Workload.Name = r.in.Component
		if stuck == nil {
			stuck = one.Stuck
		}
	}
	return api.Facts{Facts: facts, Stuck: stuck}, nil
}

// evaluate runs gates in a local activity: the verdicts are recorded, and the workflow stays deterministic.
func evaluate(ctx workflow.Context, req step.EvaluateRequest) []api.Check {
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout: tuned().LocalActivity, Summary: "gates " + string(req.Point),
		RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 3},
	})
	var found []api.Check
	if err := workflow.ExecuteLocalActivity(ctx, step.Evaluate.Name(), req).Get(ctx, &found); err != nil {
		return []api.Check{{Name: "gates", At: string(req.Point), Verdict: api.Error, Message: messageOf(err)}}
	}
	return found
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

// note keeps the latest verdict of each check with the batch, or with the cluster where at is nil.
func (r *clusterRollout) note(at *api.BatchStatus, found []api.Check) {
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
}

// open adds a batch to the unit's status and returns it.
func (r *clusterRollout) open(ctx workflow.Context, w plan.Division, set int, b plan.Batch) *api.BatchStatus {
	sets := w.NodeSets[set]
	at := api.BatchStatus{
		Path: r.unit.Path + "/" + sets.Name + "/" + strconv.Itoa(b.Number), Workload: w.Object, NodeSet: sets.Name,
		Number: b.Number, Size: b.Size, Target: b.Target, Total: sets.Pods, Phase: api.PhaseWaiting, Started: workflow.Now(ctx).UTC(),
	}
	if n := len(r.unit.Batches); n > 0 && r.unit.Batches[n-1].Workload == at.Workload && r.unit.Batches[n-1].NodeSet == at.NodeSet {
		at.Updated, at.Ready = r.unit.Batches[n-1].Updated, r.unit.Batches[n-1].Ready // counts are cumulative
	}
	if b.Skipped != "" {
		at.Phase, at.Skipped, at.Ended = api.PhaseSkipped, b.Skipped, at.Started
	}
	r.unit.Batches = append(r.unit.Batches, at)
	return &r.unit.Batches[len(r.unit.Batches)-1]
}

func (r *clusterRollout) finishBatch(ctx workflow.Context, at *api.BatchStatus) {
	at.Phase, at.Ended = api.PhaseSucceeded, workflow.Now(ctx).UTC()
}

func (r *clusterRollout) about(h *heldWorkload) step.WorkloadRequest {
	return step.WorkloadRequest{Ref: r.in.Ref, Changes: r.diff.Changes, Object: h.object, State: h.state}
}

func (r *clusterRollout) stateOf(object string) (s heldState) {
	for _, h := range r.held {
		if h.object == object {
			return h.state
		}
	}
	return s
}

// request is about one batch of a held workload.
func (r *clusterRollout) request(h *heldWorkload, w plan.Division, set int, b plan.Batch) step.AdvanceRequest {
	req := r.requestFor(h)
	req.Size, req.Target, req.Total = b.Size, b.Target, w.NodeSets[set].Pods
	req.Unit.Path = r.unit.Path + "/" + w.NodeSets[set].Name + "/" + strconv.Itoa(b.Number)
	return req
}

// requestFor is about a held workload at the goal that it has reached.
func (r *clusterRollout) requestFor(h *heldWorkload) step.AdvanceRequest {
	return step.AdvanceRequest{
		WorkloadRequest: r.about(h), Goal: h.goal, Unit: r.plan.Unit, Change: r.plan.Change,
		Version: r.plan.Change.Version,
	}
}

// soaking is what a soak of the cluster, its group or its stage looks at: every workload that was moved, at rest.
func (r *clusterRollout) soaking() []step.AdvanceRequest {
	var out []step.AdvanceRequest
	for _, h := range r.held {
		req := r.requestFor(h)
		req.Checks = pipelines.ChecksAt(r.plan.Rules.Checks, pipelines.During)
		out = append(out, req)
	}
	return out
}

// fresh is a request as its workload is held now.
func (r *clusterRollout) fresh(req step.AdvanceRequest) []step.AdvanceRequest {
	req.State = r.stateOf(req.Object)
	return []step.AdvanceRequest{req}
}
