package unit

import (
	"encoding/json"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
	"sluice.dev/sluice/workflows/ask"
	"sluice.dev/sluice/workflows/pace"
	"sluice.dev/sluice/workflows/shape"
)

// watcher is the background checks of a unit: one activity, on the workers of checks, beside whatever the unit does.
type watcher struct {
	end     workflow.CancelFunc // nil where nothing is watched
	of      int                 // how many workloads it watches
	counted *counted            // by it
	alarm   *api.Check          // what it found, and nobody has heeded yet
}

// counted is what background checks have counted, once they are over.
type counted struct {
	over    bool
	tallies json.RawMessage
}

// watched are the checks that are measured in the background.
func (r *machine) watched() []pipelines.ResolvedCheck {
	return pipelines.Measured(r.checksAt(pipelines.During))
}

// watch has the workloads that were taken hold of so far watched from now on. Where there are more of them it begins anew, and goes on
// counting.
func (r *machine) watch(ctx workflow.Context) {
	checks := r.watched()
	if len(checks) == 0 || r.watcher.end != nil && r.watcher.of == len(r.held) {
		return
	}
	before, now := r.watcher.counted, &counted{}
	r.watchNoMore()
	req := r.watching(checks)
	for _, h := range r.held {
		req.Workloads = append(req.Workloads, r.requestFor(h))
	}
	r.watcher.of, r.watcher.counted = len(r.held), now
	ctx, r.watcher.end = workflow.WithCancel(ctx)
	workflow.GoNamed(ctx, "background checks", func(ctx workflow.Context) {
		defer func() { now.over = true }()
		if before != nil && r.shape >= shape.CountsOn {
			if workflow.Await(ctx, func() bool { return before.over }) != nil {
				return
			}
			req.Before = before.tallies
		}
		now.tallies = r.watchBy(ctx, "background checks of "+r.unit.Path, req, func() {})
	})
}

// watching asks for checks in the background of no workload yet.
func (r *machine) watching(checks []pipelines.ResolvedCheck) step.ChecksRequest {
	return step.ChecksRequest{
		Ref: r.in.Ref, Point: pipelines.During, Checks: checks, Facts: rule.Facts{Unit: r.plan.Unit, Change: r.plan.Change},
	}
}

// watchBy watches until a check does not pass, all that was to be measured is, which it calls made, or nobody wants it any more: then it
// returns what was counted so far. A cluster of which no worker is heard is asked again: the unit finds out by itself.
func (r *machine) watchBy(ctx workflow.Context, summary string, req step.ChecksRequest, made func()) json.RawMessage {
	for misses := 1; ; misses++ {
		found, err := near(r, step.Watch, summary, req).Get(ctx)
		if said := ask.SaidLast(err); said != nil {
			req.Before = said
		}
		switch {
		case ctx.Err() != nil:
			return req.Before
		case err == nil:
			r.note(r.underWay(), found)
			if bad, held := plan.FirstBad(found); held {
				r.raise(bad)
				return nil
			}
			made()
			return nil
		case ask.CodeOf(err) != fault.Unreachable:
			r.raise(api.Check{Name: "background checks", At: pipelines.During, Verdict: api.Error, Message: ask.MessageOf(err)})
			return nil
		}
		if workflow.Sleep(ctx, pace.BackOff(misses)) != nil {
			return req.Before
		}
	}
}

// raise has the unit stop at a check, whatever it does.
func (r *machine) raise(bad api.Check) {
	r.watcher.alarm = &bad
	if r.cancel != nil && !r.firm {
		r.interrupt()
	}
}

// heed stops at what the background checks have found, until somebody decides.
func (r *machine) heed(ctx workflow.Context) error {
	if r.watcher.alarm == nil {
		return nil
	}
	bad, at := *r.watcher.alarm, r.underWay()
	r.watcher.alarm = nil
	if at == nil {
		return r.stand(ctx, api.PhaseHeld, bad, nil)
	}
	before := at.Phase
	if err := r.stand(ctx, api.PhaseHeld, bad, at); err != nil {
		return err
	}
	at.Phase = before
	return nil
}

// underWay is the batch that has not ended; nil where there is none.
func (r *machine) underWay() *api.BatchStatus {
	if n := len(r.unit.Batches); n > 0 && !r.unit.Batches[n-1].Phase.Final() {
		return &r.unit.Batches[n-1]
	}
	return nil
}

// endWatch ends the background checks of a unit that has arrived, once what they found is heeded.
func (r *machine) endWatch(ctx workflow.Context) error {
	if err := r.obey(ctx); err != nil {
		return err
	}
	r.watchNoMore()
	return nil
}

// watchNoMore ends the background checks. Nobody waits for them: they change nothing. What they have found stays to be heeded.
func (r *machine) watchNoMore() {
	if r.watcher.end != nil {
		r.watcher.end()
	}
	r.watcher.end, r.watcher.of, r.watcher.counted = nil, 0, nil
	r.sampleNoMore()
}
