package server

import (
	"context"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
)

// fleets remembers where the clusters of the installation are: rights over a run go by where its clusters are now, and not by where they
// were when it was planned. As bindings are, it is read again every five seconds; where the ledger does not answer, what was read stands.
type fleets struct {
	read  func(context.Context) (*engine.Fleet, error)
	clock clock.PassiveClock

	mu   sync.Mutex
	last *engine.Fleet
	at   time.Time
}

func (f *fleets) now(ctx context.Context) (*engine.Fleet, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last != nil && f.clock.Since(f.at) < readEvery {
		return f.last, nil
	}
	read, err := f.read(ctx)
	switch {
	case err == nil:
		f.last = read
	case f.last == nil:
		return nil, fault.Wrap(fault.CodeOf(err), err, "cannot tell where clusters are")
	}
	f.at = f.clock.Now()
	return f.last, nil
}
