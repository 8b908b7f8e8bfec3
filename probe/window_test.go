package probe

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestARoundThatDoesNotEnd is reported, and there is no second one beside it.
func TestARoundThatDoesNotEnd(t *testing.T) {
	var going atomic.Int64
	free := make(chan struct{})
	hangs := func(context.Context, *Run) error { going.Add(1); <-free; return nil }
	w := newWindow(time.Millisecond)
	for range 3 {
		w.round(t.Context(), 100*time.Millisecond, hangs)
	}
	r, due := w.due(time.Now())
	if !due || r.OK || r.More.Code != "DeadlineExceeded" || !strings.Contains(r.Errors[0], "has not ended for") || going.Load() != 1 {
		t.Errorf("%d at once: %+v", going.Load(), r)
	}
	close(free)
	for end := time.Now().Add(5 * time.Second); w.ended(time.Now()) != nil && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	w.round(t.Context(), 100*time.Millisecond, hangs)
	if r, due := w.due(time.Now().Add(time.Second)); !due || !r.OK || going.Load() != 2 {
		t.Errorf("once it has ended: %+v", r)
	}
}

// TestAnOutboxKeepsTheNewest where nobody takes the reports.
func TestAnOutboxKeepsTheNewest(t *testing.T) {
	o := newOutbox(environment{url: "http://127.0.0.1:1/check"})
	for i := range 100 {
		o.put(Report{OK: true, More: &More{Seq: int64(i + 1)}})
	}
	o.mu.Lock()
	n, last, dropped := len(o.reports), o.reports[len(o.reports)-1], o.dropped
	o.mu.Unlock()
	if n != kept || last.More.Seq != 100 || dropped != 36 || last.More.Observations["reports.dropped"] != 36.0 {
		t.Errorf("it keeps %d until %d, and dropped %d: %v", n, last.More.Seq, dropped, last.More.Observations)
	}
	o.close()
}
