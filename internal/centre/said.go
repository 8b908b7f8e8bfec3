package centre

import (
	"context"
	"sync"
	"time"

	"sluice.dev/sluice/internal/probing"
)

// together is for how long what agents say is gathered before it is written, and mostTogether how much of it: a write costs the same for
// one as for many.
const (
	together     = 50 * time.Millisecond
	mostTogether = 256
	writeWithin  = 20 * time.Second
)

// gathering writes what many agents say in few writes. Nobody is answered before what he said is written.
type gathering struct {
	save func(ctx context.Context, all []probing.Said, now time.Time) error
	now  func() time.Time

	mu      sync.Mutex
	waiting []*waits
	writing bool
}

// waits is somebody whose words are to be written.
type waits struct {
	said []probing.Said
	done chan error
}

// keep returns once what is said is written, or cannot be.
func (g *gathering) keep(ctx context.Context, said []probing.Said) error {
	if len(said) == 0 {
		return nil
	}
	w := &waits{said, make(chan error, 1)}
	g.mu.Lock()
	g.waiting = append(g.waiting, w)
	if !g.writing {
		g.writing = true
		go g.write(context.WithoutCancel(ctx))
	}
	g.mu.Unlock()
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return turn(ctx.Err())
	}
}

// write writes until nobody waits.
func (g *gathering) write(ctx context.Context) {
	for {
		time.Sleep(together)
		g.mu.Lock()
		n := min(len(g.waiting), mostTogether)
		if n == 0 {
			g.writing = false
			g.mu.Unlock()
			return
		}
		some := g.waiting[:n:n]
		g.waiting = g.waiting[n:]
		g.mu.Unlock()
		g.all(ctx, some)
	}
}

// all writes what some say at once; where that fails, what each says alone, so that nobody is kept back by another one.
func (g *gathering) all(ctx context.Context, some []*waits) {
	var all []probing.Said
	for _, w := range some {
		all = append(all, w.said...)
	}
	err := g.one(ctx, all)
	if err == nil || len(some) == 1 {
		for _, w := range some {
			w.done <- err
		}
		return
	}
	for _, w := range some {
		w.done <- g.one(ctx, w.said)
	}
}

func (g *gathering) one(ctx context.Context, said []probing.Said) error {
	ctx, stop := context.WithTimeout(ctx, writeWithin)
	defer stop()
	return g.save(ctx, said, g.now().UTC())
}

// sweepEvery is how often the ledger forgets what probes found long ago.
const sweepEvery = 10 * time.Minute

func (c *Centre) sweep(ctx context.Context) error {
	n, err := c.Ledger.SweepProbes(ctx, c.Clock.Now().UTC())
	if n > 0 {
		c.Logger.Debug("what probes found long ago is forgotten", "rows", n)
	}
	return err
}
