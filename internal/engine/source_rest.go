package engine

import (
	"errors"
	"sync"
	"time"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/forge"
)

// resting are sources whose forge wants to be left alone, until when. Each process finds that out for itself.
type resting struct {
	mu    sync.Mutex
	until map[string]time.Time
}

// heed notes what a forge has said, where it wants to be left alone, and returns it.
func (e *Engine) heed(f *followed, err error) error {
	var later *forge.Later
	if errors.As(err, &later) {
		e.resting.mu.Lock()
		defer e.resting.mu.Unlock()
		if e.resting.until == nil {
			e.resting.until = map[string]time.Time{}
		}
		e.resting.until[f.name] = e.now().Add(later.After)
	}
	return err
}

// rests is fault.Unreachable where the forge of a Source wants to be left alone still.
func (e *Engine) rests(f *followed) error {
	e.resting.mu.Lock()
	defer e.resting.mu.Unlock()
	until := e.resting.until[f.name]
	if !e.now().Before(until) {
		delete(e.resting.until, f.name)
		return nil
	}
	return fault.New(fault.Unreachable, "cannot ask %s about %s: it wants to be left alone until %s",
		f.spec.Forge.Kind, f.spec.Forge.Repository, until.Format(time.RFC3339))
}
