package cluster

import (
	"context"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"sluice.dev/sluice/internal/step"
)

const (
	pulseMoving    = time.Second     // how soon an activity that moves pods hears that it is cancelled
	pulseWaiting   = 2 * time.Second // well below the heartbeat timeout, which an unanswered request must not use up
	reachableEvery = 3 * time.Second
)

// pulse heartbeats for an activity while it waits, so that it is known to be alive and hears when it is cancelled.
type pulse struct {
	mu   sync.Mutex
	last step.Progress
	quit chan struct{}
	over sync.WaitGroup
}

func newPulse(ctx context.Context, every time.Duration) *pulse {
	p := &pulse{quit: make(chan struct{})}
	activity.RecordHeartbeat(ctx, p.last)
	p.run(ctx, every)
	return p
}

func (p *pulse) run(ctx context.Context, every time.Duration) {
	p.over.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-p.quit:
				return
			case <-ctx.Done():
				return
			case <-tick.C:
				p.mu.Lock()
				last := p.last
				p.mu.Unlock()
				activity.RecordHeartbeat(ctx, last)
			}
		}
	})
}

// say makes progress known; the SDK keeps heartbeats from coming too thick.
func (p *pulse) say(now step.Progress) {
	p.mu.Lock()
	p.last = now
	p.mu.Unlock()
}

func (p *pulse) stop() {
	close(p.quit)
	p.over.Wait()
}

// steady lets a short activity heartbeat where it takes longer than usual, so that the death of its worker is noticed at
// once. Being cancelled does not interrupt it: it ends by itself, and nothing is left half done.
func steady[In, Out any](f func(context.Context, In) (Out, error)) func(context.Context, In) (Out, error) {
	return func(ctx context.Context, in In) (Out, error) {
		whole, cancel := context.WithDeadline(context.WithoutCancel(ctx), activity.GetInfo(ctx).Deadline)
		defer cancel()
		beat := &pulse{quit: make(chan struct{})}
		beat.run(whole, pulseWaiting)
		defer beat.stop()
		return f(whole, in)
	}
}

// pause waits, or returns the context's error.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
