package check

import (
	"fmt"
	"strings"
	"sync"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/pod"
	"sluice.dev/sluice/pipelines"
)

// book is the tallies of an inquiry.
type book struct {
	mu      sync.Mutex
	all     Tallies
	counted int // bytes that all of them keep and hand on
	say     func(Tallies)
}

func newBook(i Inquiry) *book {
	b := &book{all: Tallies{}, say: i.Say}
	for name, t := range i.Before {
		b.all[name] = t
		b.counted += t.counted()
	}
	return b
}

func (b *book) of(step string) (Tally, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, known := b.all[step]
	return t, known
}

func (b *book) keep(step string, t Tally) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counted += t.counted() - b.all[step].counted()
	b.all[step] = t
	if b.say == nil {
		return
	}
	said := make(Tallies, len(b.all))
	for name, t := range b.all {
		said[name] = t
	}
	b.say(said)
}

// within is a finding whose step finds room for what it keeps and hands on beside all others; else an Error.
func (b *book) within(step string, f Finding) Finding {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.all[step]
	after := before
	if f.Keep != nil {
		after.Kept = f.Keep
	}
	if len(f.Results) > 0 {
		after.Results = f.Results
	}
	if n := b.counted - before.counted() + after.counted(); n > maxCounted && after.counted() > before.counted() {
		return Finding{Verdict: api.Error, Message: fmt.Sprintf(
			"the checks measured here want to keep %d bytes, at most %d can be: measure fewer at once", n, maxCounted)}
	}
	return f
}

// value is what a name in a text of a step stands for: a param, a fact, or a result of a step before it.
func (b *book) value(name string, c pipelines.ResolvedCheck, q *Question) (any, bool) {
	if param, ok := strings.CutPrefix(name, "params."); ok {
		v, given := q.Params[param]
		return v, given
	}
	if rest, ok := strings.CutPrefix(name, "steps."); ok {
		step, result, ok := strings.Cut(rest, ".results.")
		if !ok {
			return nil, false
		}
		t, _ := b.of(c.Name + "/" + step)
		v, there := t.Results[result]
		return v, there
	}
	switch name {
	case pipelines.ContextTaskRun:
		return q.TaskRun, q.TaskRun != ""
	case pipelines.ContextTask:
		return c.Name, true
	case pipelines.ContextRetry:
		return q.Retry, true
	}
	if result, ok := pipelines.ResultOfPath(name); ok {
		return pod.ResultsDir(forJob, q.Key) + "/" + result, true
	}
	return q.Facts.Value(name)
}
