package centre

import (
	"context"
	"sync"
)

// Bounds on what is in memory at one time for agents: whoever wants more waits.
const (
	blobPlaces = 8 // blobs on their way, of all together
	planPlaces = 4 // whole plans that are being cut down to a site
	placesEach = 2 // of each kind, of one agent: no other waits for one that is slow
)

// places are taken by agents that have something large in memory.
type places struct {
	all chan struct{}

	mu sync.Mutex
	of map[string]chan struct{} // by agent: there are no more of them than agents
}

func newPlaces(most int) *places {
	return &places{all: make(chan struct{}, most), of: map[string]chan struct{}{}}
}

func (p *places) own(agent string) chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of[agent] == nil {
		p.of[agent] = make(chan struct{}, placesEach)
	}
	return p.of[agent]
}

// take waits for a place, first among those of the agent itself. It is left by the function that it returns.
func (p *places) take(ctx context.Context, agent string) (leave func(), err error) {
	own := p.own(agent)
	select {
	case own <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case p.all <- struct{}{}:
		return func() { <-p.all; <-own }, nil
	case <-ctx.Done():
		<-own
		return nil, ctx.Err()
	}
}

// alone has a call take a place among plans while it is answered.
func alone[Res any](c *Centre, do func(context.Context, string) (Res, error)) func(context.Context, string) (Res, error) {
	return func(ctx context.Context, of string) (out Res, err error) {
		leave, err := c.plans.take(ctx, callerOf(ctx).Name)
		if err != nil {
			return out, err
		}
		defer leave()
		return do(ctx, of)
	}
}
