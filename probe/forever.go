package probe

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const (
	leastEvery = 10 * time.Millisecond
	leastGap   = 200 * time.Millisecond // between reports: Sluice takes ten a second
	roundLasts = 10 * time.Second       // at most, where rounds do not begin more seldom
)

// RunForever runs a check again and again, a round each time that every has passed, until ctx ends or the program is told to. A round that
// fails is reported at once, and so is the first that passes again; while all pass, what many rounds saw is one report a second. Rounds
// that were due while one went on are counted, and not made up for.
//
// The error is why it could not begin.
func RunForever(ctx context.Context, every time.Duration, check Check) error {
	e, err := told()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	every = max(every, leastEvery)
	out := newOutbox(e)
	defer out.close()
	tick := time.NewTicker(every)
	defer tick.Stop()
	w := newWindow(e.reportEvery)
	for next := time.Now(); ; next = next.Add(every) {
		if late := time.Since(next); late >= every {
			n := late / every
			w.missed += int64(n)
			next = next.Add(n * every)
		}
		w.round(ctx, max(every, roundLasts), check)
		if r, due := w.due(time.Now()); due && ctx.Err() == nil {
			out.put(r)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// window is what rounds saw since the last report.
type window struct {
	steady    time.Duration
	last      time.Time // report
	seq       int64
	was       Verdict // in the last report
	newest    Report
	latencies map[string]*Histogram
	rounds    int64
	failed    int64
	missed    int64
	hung      <-chan error // of a round that did not end; until it does there is no other one
	since     time.Time    // it began
}

func newWindow(steady time.Duration) *window {
	return &window{steady: steady, latencies: map[string]*Histogram{}}
}

func (w *window) round(ctx context.Context, within time.Duration, check Check) {
	r := newRun()
	began := time.Now()
	err := w.ended(began)
	if err == nil {
		w.hung, err = bounded(ctx, began.Add(within), r, check)
		w.since = began
		r.Latency("round").Observe(time.Since(began))
	}
	w.rounds++
	r.fold(w.latencies)
	report := r.report(err)
	if !report.OK {
		w.failed++
	}
	// A failure that has not been said yet is not covered by a round that passed.
	if w.newest.More == nil || !report.OK || w.newest.OK {
		w.newest = report
	}
}

// ended is nil where no earlier round goes on.
func (w *window) ended(now time.Time) error {
	if w.hung == nil {
		return nil
	}
	select {
	case <-w.hung:
		w.hung = nil
		return nil
	default:
		return Fail("DeadlineExceeded", fmt.Errorf("the check has not ended for %s", now.Sub(w.since).Round(time.Second)))
	}
}

// due is what is to be said now, if anything.
func (w *window) due(now time.Time) (Report, bool) {
	gap := w.steady
	if v := w.newest.More.Verdict; v != w.was || !v.OK() {
		gap = min(leastGap, w.steady)
	}
	if !w.last.IsZero() && now.Sub(w.last) < gap {
		return Report{}, false
	}
	r := w.newest
	for name, h := range w.latencies {
		for what, value := range h.observations() {
			r.add(name+"."+what, value)
		}
	}
	r.add("rounds", float64(w.rounds))
	r.add("rounds.failed", float64(w.failed))
	r.add("rounds.missed", float64(w.missed))
	w.seq = max(w.seq+1, now.UnixMicro()) // greater than before a restart as well
	r.More.Seq = w.seq
	*w = window{
		steady: w.steady, last: now, seq: w.seq, was: r.More.Verdict, latencies: map[string]*Histogram{}, hung: w.hung, since: w.since,
	}
	return r, true
}
