package cluster

import (
	"context"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"sluice.dev/sluice/internal/step"
)

const (
	pulseEvery     = 2 * time.Second // well below the heartbeat timeout, which an unanswered request must not use up
	reachableEvery = 3 * time.Second
)

// pulse heartbeats for an activity while it waits, so that it is known to be alive and hears when it is cancelled.
type pulse struct {
	mu   sync.Mutex
	last step.Progress
	quit chan struct{}
	over sync.WaitGroup
}

func newPulse(ctx context.Context) *pulse {
	p := &pulse{quit: make(chan struct{})}
	activity.RecordHeartbeat(ctx, p.last)
	p.over.Go(func() {
		tick := time.NewTicker(pulseEvery)
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
	return p
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
