package prober

import (
	"sync"
	"time"

	"sluice.dev/sluice/internal/probing"
)

// wants are the runs that events want: one for each spot, however many want it.
type wants struct {
	more chan struct{} // has something where there are new ones

	mu    sync.Mutex
	of    map[spot]probing.Cause
	order []spot
	again []refused // in the order of their times
}

// refused is a run that could not be made, and when it is tried again.
type refused struct {
	at   spot
	when time.Time
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

// later puts one back that was refused, behind those that may be made.
func (w *wants) later(at spot, c probing.Cause, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, there := w.of[at]; there || len(w.of) >= maxWants {
		return
	}
	w.of[at] = c
	w.again = append(w.again, refused{at, now.Add(refusedAgain)})
}

// take takes the first one out.
func (w *wants) take(now time.Time) (at spot, c probing.Cause, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.again) > 0 {
		if left := w.again[0].when.Sub(now); left > 0 && left <= refusedAgain { // longer only by a clock that was ahead
			break
		}
		w.order, w.again = append(w.order, w.again[0].at), w.again[1:]
	}
	if len(w.order) == 0 {
		return spot{}, probing.Cause{}, false
	}
	at, w.order = w.order[0], w.order[1:]
	c = w.of[at]
	delete(w.of, at)
	return at, c, true
}
