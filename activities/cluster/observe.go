package cluster

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"golang.org/x/sync/errgroup"

	"sluice.dev/sluice/activities/cluster/pulse"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/change"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/pipelines/rule"
)

// Observe looks at a unit that soaks until the time is over or a check does not pass. It looks once more at the end, however
// late that is: a soak does not pass because nobody was there. It returns at once where no check judges any workload.
func (a *Activities) Observe(ctx context.Context, req step.ObserveRequest) (api.Facts, error) {
	workloads := req.Workloads
	if req.Record != "" {
		var record step.UnitRecord
		if err := change.Load(ctx, a.Ledger, req.Record, &record); err != nil {
			return api.Facts{}, err
		}
		workloads = record.Soaking
	}
	ctx, beat := a.beats(ctx, pulse.Looking)
	defer beat.Stop()
	l := &lookout{a: a}
	for _, w := range workloads {
		if len(w.Checks) > 0 {
			l.posts = append(l.posts, &post{req: w})
		}
	}
	most := left(activity.GetInfo(ctx), req.For)
	watches, ctx := errgroup.WithContext(ctx)
	for _, p := range l.posts {
		watches.Go(func() error { return l.stay(ctx, p, most) })
	}
	err := watches.Wait()
	if err == nil || errors.Is(err, check.ErrNotPassed) {
		return l.bad, nil
	}
	return api.Facts{}, unreachableAs(err)
}

// left is how much of a time is left that began when the activity was first scheduled. Both times are the server's, so
// that no clock of a worker matters.
func left(info activity.Info, whole time.Duration) time.Duration {
	return whole - info.StartedTime.Sub(info.ScheduledTime)
}

// lookout looks at several workloads of one unit at a time.
type lookout struct {
	a        *Activities
	mu       sync.Mutex
	posts    []*post
	sighting sighting
	bad      api.Facts // what the check saw that ended it: the first, one that Failed before any other
}

// post is one of its workloads.
type post struct {
	req  step.AdvanceRequest
	h    held        // what is looked at
	seen *rule.Facts // nil before the first look
}

// stay looks at one workload for a time, and once at its end.
func (l *lookout) stay(ctx context.Context, p *post, most time.Duration) error {
	h, err := l.a.held(ctx, p.req.WorkloadRequest)
	if err != nil {
		return err
	}
	p.h = h
	within, over := context.WithTimeout(ctx, most)
	defer over()
	err = h.driver.Observe(within, h.cluster, h.load.Spec, p.req.State, p.req.Goal, l.look(p))
	if errors.Is(err, check.ErrNotPassed) || ctx.Err() != nil || within.Err() == nil {
		return err
	}
	last, err := h.driver.Facts(ctx, h.cluster, h.load.Spec, p.req.State, p.req.Goal)
	if err != nil {
		return err
	}
	return l.look(p)(ctx, last.Workload, last.Batch)
}

// why completes what a check saw with what keeps pods from being ready. It is told to people: that it cannot be found out
// changes no verdict.
func (l *lookout) why(ctx context.Context, p *post, bad *api.Facts) {
	if p.h.driver != nil {
		bad.Stuck, _ = p.h.driver.StuckPods(ctx, p.h.cluster, p.h.load.Spec, bad.Facts.Workload)
	}
}

// look judges what is seen of one workload by its own checks; the ledger hears the sum of all.
func (l *lookout) look(p *post) workload.Look {
	return func(ctx context.Context, seen rule.Workload, batch rule.Batch) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		facts := complete(p.req, seen, batch)
		p.seen = &facts
		found, err := l.a.Checks.Judge(ctx, p.req.Checks, facts)
		if err != nil {
			return err
		}
		l.tell(ctx)
		now, bad := plan.FirstBad(found)
		if !bad {
			return nil
		}
		if before, was := plan.FirstBad(l.bad.Checks); !was || before.Verdict != api.Failed && now.Verdict == api.Failed {
			l.bad = api.Facts{Facts: facts, Checks: found}
			l.why(ctx, p, &l.bad)
		}
		return check.ErrNotPassed
	}
}

func (l *lookout) tell(ctx context.Context) {
	var sum rule.Facts
	armed := false
	for _, p := range l.posts {
		if p.seen == nil {
			return
		}
		sum.Workload, sum.Batch = sum.Workload.Plus(p.seen.Workload), p.seen.Batch
		armed = armed || p.req.State.Armed
	}
	if now := observation(l.posts[0].req, sum, armed, l.a.Clock.Now()); l.sighting.due(now) {
		l.a.observe(ctx, now)
	}
}
