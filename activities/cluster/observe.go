package cluster

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"

	"sluice.dev/sluice/internal/status"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/pipelines/rule"
)

// Observe looks at a unit that soaks until a check does not pass or it is cancelled. It returns at once, with no checks,
// where no check judges any of its workloads.
func (a *Activities) Observe(ctx context.Context, req step.ObserveRequest) (status.Facts, error) {
	workloads := req.Workloads
	if req.Record != "" {
		var record step.UnitRecord
		if err := a.getJSON(ctx, req.Record, &record); err != nil {
			return status.Facts{}, err
		}
		workloads = record.Soaking
	}
	l := &lookout{a: a, beat: newPulse(ctx)}
	defer l.beat.stop()
	for _, w := range workloads {
		if len(w.Checks) > 0 {
			l.posts = append(l.posts, &post{req: w})
		}
	}
	watches, ctx := errgroup.WithContext(ctx)
	for _, p := range l.posts {
		h, err := a.held(ctx, p.req.WorkloadRequest)
		if err != nil {
			return status.Facts{}, err
		}
		watches.Go(func() error {
			return h.driver.Observe(ctx, h.cluster, h.spec, p.req.State, p.req.Goal, l.look(p))
		})
	}
	err := watches.Wait()
	if err == nil || errors.Is(err, errCheck) {
		return l.bad, nil
	}
	return status.Facts{}, unreachableAs(err)
}

// lookout looks at several workloads of one unit at a time.
type lookout struct {
	a        *Activities
	beat     *pulse
	mu       sync.Mutex
	posts    []*post
	sighting sighting
	bad      status.Facts // what the check saw that ended it
}

// post is one of its workloads.
type post struct {
	req  step.AdvanceRequest
	seen *rule.Facts // nil before the first look
}

// look judges what is seen of one workload by its own checks; the ledger hears the sum of all.
func (l *lookout) look(p *post) workload.Look {
	return func(ctx context.Context, seen rule.Workload, batch rule.Batch) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		facts := complete(p.req, seen, batch)
		p.seen = &facts
		if err := l.tell(ctx); err != nil {
			return err
		}
		found := l.a.judge(ctx, p.req.Checks, facts)
		if _, bad := status.FirstBad(found); !bad {
			return nil
		}
		l.bad = status.Facts{Facts: facts, Checks: found}
		return errCheck
	}
}

func (l *lookout) tell(ctx context.Context) error {
	var sum rule.Facts
	armed := false
	for _, p := range l.posts {
		if p.seen == nil {
			return nil
		}
		sum.Workload, sum.Batch = sum.Workload.Plus(p.seen.Workload), p.seen.Batch
		armed = armed || p.req.State.Armed
	}
	if now := observation(l.posts[0].req, sum, armed); l.sighting.due(now) {
		return l.a.Ledger.SaveObservation(ctx, now)
	}
	return nil
}
