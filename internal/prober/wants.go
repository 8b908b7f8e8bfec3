package prober

import (
	"sync"

	"sluice.dev/sluice/internal/probing"
)

// wants are the runs that events want: one for each spot, however many want it.
type wants struct {
	more chan struct{} // has something where there are new ones

	mu    sync.Mutex
	of    map[spot]probing.Cause
	order []spot
}

func newWants() *wants { return &wants{more: make(chan struct{}, 1), of: map[spot]probing.Cause{}} }

// put adds a run that is wanted. It is false where there are too many.
func (w *wants) put(at spot, c probing.Cause) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, there := w.of[at]; there {
		return true
	}
	if len(w.of) >= maxWants {
		return false
	}
	w.of[at] = c
	w.order = append(w.order, at)
	select {
	case w.more <- struct{}{}:
	default:
	}
	return true
}

// take takes the first one out.
func (w *wants) take() (at spot, c probing.Cause, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.order) == 0 {
		return spot{}, probing.Cause{}, false
	}
	at, w.order = w.order[0], w.order[1:]
	c = w.of[at]
	delete(w.of, at)
	return at, c, true
}
