package centre

import (
	"context"
	"sync"

	"golang.org/x/time/rate"

	"sluice.dev/sluice/internal/fault"
)

// Bounds on what agents may have the ledger do. Who exceeds one waits; a stranger who wants to come in is refused.
const (
	callsPerSecond   = 200 // of one agent
	callsAtOnce      = 2000
	storedPerSecond  = 4 << 20   // bytes of blobs and records, of one agent
	storedAtOnce     = 512 << 20 // those of a look at a whole site
	comesPerSecond   = 5         // strangers, of all together: each costs a write
	comeAtOnce       = 50
	refusedPerSecond = 5 // calls of whoever has a certificate of a name, and is not let in by it: each has the agents read, and is logged
	refusedAtOnce    = 20
)

// bounds are those of agents, by name.
type bounds struct {
	mu      sync.Mutex
	calls   map[string]*rate.Limiter
	stored  map[string]*rate.Limiter
	refused map[string]*rate.Limiter
	comes   *rate.Limiter
}

func newBounds() *bounds {
	return &bounds{
		calls: map[string]*rate.Limiter{}, stored: map[string]*rate.Limiter{},
		refused: map[string]*rate.Limiter{}, comes: rate.NewLimiter(comesPerSecond, comeAtOnce),
	}
}

// of is the limiter of an agent. There are no more than agents: nobody else comes here.
func (b *bounds) of(all map[string]*rate.Limiter, name string, perSecond rate.Limit, atOnce int) *rate.Limiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := all[name]
	if l == nil {
		l = rate.NewLimiter(perSecond, atOnce)
		all[name] = l
	}
	return l
}

// call waits for the turn of one call of an agent.
func (b *bounds) call(ctx context.Context, name string) error {
	return turn(b.of(b.calls, name, callsPerSecond, callsAtOnce).Wait(ctx))
}

// refuse waits before somebody is told that he is not let in.
func (b *bounds) refuse(ctx context.Context, name string) error {
	return turn(b.of(b.refused, name, refusedPerSecond, refusedAtOnce).Wait(ctx))
}

// report waits for the turn of reports of an agent beside the first, each of which costs what a call does.
func (b *bounds) report(ctx context.Context, name string, reports int) error {
	return turn(b.of(b.calls, name, callsPerSecond, callsAtOnce).WaitN(ctx, max(reports-1, 0)))
}

// turn is fault.Unreachable where somebody's turn does not come in time: he asks again later.
func turn(err error) error {
	return fault.Wrap(fault.Unreachable, err, "this agent asks for more than it may at this moment")
}

// store waits for the turn of a blob of an agent.
func (b *bounds) store(ctx context.Context, name string, bytes int) error {
	return turn(b.of(b.stored, name, storedPerSecond, storedAtOnce).WaitN(ctx, bytes))
}

// come is fault.Refused where more strangers want to come in than may.
func (b *bounds) come() error {
	if b.comes.Allow() {
		return nil
	}
	return fault.New(fault.Refused, "too many want to come in at this moment; try again in a minute")
}
