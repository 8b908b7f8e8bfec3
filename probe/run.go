package probe

import (
	"context"
	"fmt"
	"maps"
	"math"
	"sync"
	"time"
)

// ours are the observations that a resident's report has by itself: of its rounds, how long they took, and what it dropped.
const ours = 9

// Run is what a check says of one run beside its verdict. It may be used by several goroutines.
type Run struct {
	mu        sync.Mutex
	more      More
	latencies map[string]*Histogram
}

func newRun() *Run { return &Run{latencies: map[string]*Histogram{}} }

// Step does a part of the check, and says how long it took and what came of it. Its error is that of the part.
func (r *Run) Step(ctx context.Context, name string, do func(context.Context) error) error {
	began := time.Now()
	err := do(ctx)
	p := Part{Name: name, Millis: time.Since(began).Milliseconds()}
	p.Verdict, p.Code, p.Message = judge(err)
	r.Part(p)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// Part says what came of one of several checks. Those of a target are what Sluice keeps for that target.
func (r *Run) Part(p Part) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.more.Parts = append(r.more.Parts, p)
}

// Number says a number that was seen. One that is none is left out.
func (r *Run) Number(name string, value float64) {
	if !math.IsNaN(value) && !math.IsInf(value, 0) {
		r.observe(name, value)
	}
}

// Duration says a time that was seen, in milliseconds.
func (r *Run) Duration(name string, d time.Duration) { r.Number(name, millis(d)) }

// Text says a text that was seen.
func (r *Run) Text(name, value string) { r.observe(name, clip(value, maxText)) }

// Flag says whether something was seen.
func (r *Run) Flag(name string, value bool) { r.observe(name, value) }

func (r *Run) observe(name string, value any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.set(clip(name, maxName), value)
}

// set keeps the first names that come, and the last value of each.
func (r *Run) set(name string, value any) {
	if r.more.Observations == nil {
		r.more.Observations = map[string]any{}
	}
	if _, there := r.more.Observations[name]; name != "" && (there || len(r.more.Observations) < MaxObservations-ours) {
		r.more.Observations[name] = value
	}
}

// Latency is the histogram of a name. It is reported as the observations NAME.count, NAME.p50, NAME.p90, NAME.p99 and NAME.max, in
// milliseconds.
func (r *Run) Latency(name string) *Histogram {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.latencies[name]
	if h == nil {
		h = &Histogram{}
		r.latencies[name] = h
	}
	return h
}

// Message says what was found in a sentence. Without, an error's text is the message.
func (r *Run) Message(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.more.Message = fmt.Sprintf(format, args...)
}

// Severity says how bad a fault is that was found, P0 to P4. Without, it is that of the Probe document.
func (r *Run) Severity(severity string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.more.Severity = severity
}

// Target says what the run turned out to be about.
func (r *Run) Target(target string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.more.Target = target
}

// fold adds the times of the run to those of others.
func (r *Run) fold(into map[string]*Histogram) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, h := range r.latencies {
		if into[name] == nil {
			into[name] = &Histogram{}
		}
		into[name].merge(h)
	}
}

// report is the run as it ended. It changes no more with the run.
func (r *Run) report(err error) Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, h := range r.latencies {
		for what, value := range h.observations() {
			r.set(name+"."+what, value)
		}
	}
	m := r.more
	m.Observations = maps.Clone(m.Observations)
	v, code, message := judge(err)
	m.Verdict, m.Code = v, code
	if m.Message == "" {
		m.Message = message
	}
	out := Report{OK: v.OK(), More: &m}
	if !v.OK() {
		out.Errors = []string{message}
	}
	return out
}
