package check

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/pipelines"
)

// Bounds on what a source says.
const (
	maxKept = 16 << 10
	maxSeen = 8 << 10
	// a task that hands all of it on may have half of that
	maxStepResults = 8 << 10
	maxMessage     = 1000
	// comeBack is how long a source that was told to end is waited for.
	comeBack = 5 * time.Second
)

// measure makes one measurement. A source that fails in any way is an Error.
func (m *Measurer) measure(ctx context.Context, i Inquiry, b *book, c pipelines.ResolvedCheck, s pipelines.ResolvedStep, t Tally) Finding {
	kind := s.Kind()
	source, known := m.sources[kind]
	if !known {
		return Finding{Verdict: api.Error, Message: fmt.Sprintf("no worker here can measure %q", kind)}
	}
	what, _ := pipelines.StepKindOf(kind)
	if timeout := timeoutOf(s); !what.Lasts || s.Timeout != nil {
		if s.FromCluster() {
			timeout += startInside + leaveInside
		}
		var cancel context.CancelFunc
		ctx, cancel = m.within(ctx, timeout)
		defer cancel()
	}
	q := Question{
		Step: s, Params: c.RuleValues(), Point: i.Point, Facts: i.Facts, Place: i.Place, Began: t.Began, Kept: t.Kept,
		TaskRun: i.TaskRun, Retry: i.Retry,
		Key: fmt.Sprintf("%s/%s/%s/%d", i.Key, i.Point, s.Name, t.Tried),
	}
	if i.Place != nil && i.Place.Facts != nil && !what.Blind {
		facts, err := i.Place.Facts(ctx)
		if err != nil {
			return Finding{Verdict: api.Error, Message: err.Error()}
		}
		q.Facts = facts
	}
	expanded, err := s.Expanded(func(name string) (any, bool) { return b.value(name, c, &q) })
	if err != nil {
		return Finding{Verdict: api.Error, Message: err.Error()}
	}
	q.Step = expanded
	return bounded(masked(m.asked(ctx, source, q)))
}

// ErrOver is the cause of a context's end where nobody asks the question again: what was made for it can go. Where a worker only
// goes, the next one asks again.
var ErrOver = errors.New("the answer is not needed any more")

// tookLonger is the cause of the end of a measurement that took too long. It counts, and the next one is another.
type tookLonger time.Duration

func (d tookLonger) Error() string { return "it took longer than " + pipelines.Duration(d).String() }

// Is says that nobody waits for it.
func (d tookLonger) Is(target error) bool { return target == ErrOver }

// within is a context that ends after a time of the measurer's clock.
func (m *Measurer) within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancelCause(ctx)
	timer := m.clock.NewTimer(d)
	over := make(chan struct{})
	go func() {
		defer timer.Stop()
		select {
		case <-timer.C():
			end(tookLonger(d))
		case <-over:
			end(nil)
		}
	}()
	var once sync.Once
	return ctx, func() { once.Do(func() { close(over) }) }
}

// asked asks a source, and does not wait for one that does not come back.
func (m *Measurer) asked(ctx context.Context, source Source, q Question) Finding {
	answer := make(chan Finding, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				answer <- Finding{Verdict: api.Error, Message: fmt.Sprintf("the check broke: %v at %s", r, brokenAt(string(debug.Stack())))}
			}
		}()
		answer <- source.Ask(ctx, q)
	}()
	select {
	case f := <-answer:
		return f
	case <-ctx.Done():
	}
	// It is told to end, and may still say why it could not.
	timer := m.clock.NewTimer(comeBack)
	defer timer.Stop()
	select {
	case f := <-answer:
		if f.Verdict == api.Passed {
			f = Finding{}
		}
		if f.Verdict == "" {
			f = Finding{Verdict: api.Error, Message: context.Cause(ctx).Error()}
		}
		return f
	case <-timer.C():
		return Finding{Verdict: api.Error, Message: context.Cause(ctx).Error() + ", and did not end"}
	}
}

// brokenAt is the first line of a stack that is our own, below the panic.
func brokenAt(stack string) string {
	_, below, _ := strings.Cut(stack, "panic(")
	for line := range strings.Lines(below) {
		if strings.Contains(line, ".go:") && !strings.Contains(line, "/runtime/") {
			return strings.TrimSpace(line)
		}
	}
	return "an unknown place"
}

// bounded keeps a finding within what may be carried in heartbeats and shown to people.
func bounded(f Finding) Finding {
	if len(f.Keep) > maxKept {
		return Finding{Verdict: api.Error, Message: fmt.Sprintf("the check wanted to keep %d bytes, at most %d can be", len(f.Keep), maxKept)}
	}
	if n := stored(f.Results); n > maxStepResults {
		return Finding{Verdict: api.Error, Message: fmt.Sprintf("the results take %d bytes, at most %d are allowed", n, maxStepResults)}
	}
	if seen, err := json.Marshal(f.Seen); err != nil || len(seen) > maxSeen {
		f.Seen = tooLong(f.Seen)
	}
	f.Message = clip.Bytes(f.Message, maxMessage)
	return f
}
