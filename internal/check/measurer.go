package check

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// Measurer measures the checks that are more than rules: it asks sources, as often as each step says, counts, and says what came
// of it. It is safe for concurrent use.
type Measurer struct {
	clock   clock.Clock
	sources Sources
}

// NewMeasurer returns a Measurer of these kinds and of gates among other steps.
func NewMeasurer(c clock.Clock, rules *Rules, more Sources) *Measurer {
	sources := Sources{"gate": SourceFunc(rules.step)}
	for name, s := range more {
		sources[name] = s
	}
	return &Measurer{c, sources}
}

// Knows reports whether a kind of step can be measured.
func (m *Measurer) Knows(kind string) bool { return m.sources[kind] != nil }

// Inquiry is checks that are to be measured, and about what.
type Inquiry struct {
	Point  pipelines.Point
	Checks []pipelines.ResolvedCheck
	Facts  rule.Facts // where Place is nil
	Place  *Place
	Key    string        // of the run, the unit and the batch
	Before Tallies       // of whoever was at it before
	Say    func(Tallies) // hears what has come of it so far
}

// Bounds on what a source says.
const (
	maxKept    = 16 << 10
	maxSeen    = 8 << 10
	maxMessage = 1000
	// comeBack is how long a source that was told to end is waited for.
	comeBack = 5 * time.Second
)

// Ask measures checks to their end, in their order, the steps of each one after another. A check that others run after, and that
// did not pass, has them Skipped. A context that ends is an error: what was cut short is no verdict.
func (m *Measurer) Ask(ctx context.Context, i Inquiry) ([]api.Check, error) {
	book := newBook(i)
	out := make([]api.Check, 0, len(i.Checks))
	stopped := map[string]bool{}
	for _, c := range i.Checks {
		found := api.Check{Name: c.Name, At: i.Point, Advisory: c.Enforcement == pipelines.Advisory}
		if n := slices.IndexFunc(c.RunAfter, func(n string) bool { return stopped[n] }); n >= 0 {
			found.Verdict, found.Message = api.Skipped, "runs after "+c.RunAfter[n]+", which did not pass"
			stopped[c.Name] = true
			out = append(out, found)
			continue
		}
		for s := range stepsOf(c) {
			t, err := m.step(ctx, i, book, c, s, max(1, s.Count))
			if err != nil {
				return nil, err
			}
			found = told(found, t)
			if found.Verdict != api.Passed {
				break
			}
		}
		if found.Verdict != api.Passed && !found.Advisory {
			stopped[c.Name] = true
		}
		out = append(out, found)
	}
	return out, nil
}

// Watch measures the steps of all checks beside each other until the first check that holds does not pass, or all measurements
// that they ask for are made. A context that ends is an error.
func (m *Measurer) Watch(ctx context.Context, i Inquiry) ([]api.Check, error) {
	book := newBook(i)
	found := make([]api.Check, len(i.Checks))
	within, over := context.WithCancelCause(ctx)
	end := func() { over(ErrOver) }
	defer end()
	var all sync.WaitGroup
	var mu sync.Mutex
	for n, c := range i.Checks {
		found[n] = api.Check{Name: c.Name, At: i.Point, Advisory: c.Enforcement == pipelines.Advisory, Verdict: api.Passed}
		for s := range stepsOf(c) {
			all.Go(func() {
				t, err := m.step(within, i, book, c, s, s.Count)
				if err != nil || t.Verdict == api.Passed {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if found[n].Verdict == api.Passed {
					found[n] = told(found[n], t)
				}
				if !found[n].Advisory {
					end()
				}
			})
		}
	}
	all.Wait()
	if _, bad := api.FirstBad(found); !bad && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return found, nil
}

// told is a check as the tally of one of its steps has it.
func told(c api.Check, t Tally) api.Check {
	c.Verdict, c.Message, c.Seen = t.Verdict, t.Message, t.Seen
	return c
}

// stepsOf are the steps of a check; its gates, where it is rules.
func stepsOf(c pipelines.ResolvedCheck) func(func(pipelines.ResolvedStep) bool) {
	return func(yield func(pipelines.ResolvedStep) bool) {
		for _, s := range c.Steps {
			if !yield(s) {
				return
			}
		}
		for _, g := range c.Gates {
			gate := &pipelines.Gate{CEL: g.CEL, Message: g.Message}
			if !yield(pipelines.ResolvedStep{Name: g.Name, StepKinds: pipelines.StepKinds{Gate: gate}}) {
				return
			}
		}
	}
}

// step measures one step until it is decided. Most is how many measurements are made; 0 without end.
func (m *Measurer) step(
	ctx context.Context, i Inquiry, b *book, c pipelines.ResolvedCheck, s pipelines.ResolvedStep, most int,
) (Tally, error) {
	t, known := b.of(s.Name)
	if !known {
		t = begin(s.Repeat, m.clock.Now())
	}
	for t.Verdict == "" {
		if err := m.until(ctx, t.Due); err != nil {
			return t, err
		}
		f := m.measure(ctx, i, b, c, s, t)
		if ctx.Err() != nil {
			return t, ctx.Err()
		}
		t = t.add(s.Repeat, most, f, m.clock.Now())
		b.keep(s.Name, t)
	}
	return t, nil
}

// until waits for a time, or for the context's end.
func (m *Measurer) until(ctx context.Context, due time.Time) error {
	left := due.Sub(m.clock.Now())
	if left <= 0 {
		return ctx.Err()
	}
	timer := m.clock.NewTimer(left)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C():
		return nil
	}
}

// measure makes one measurement. A source that fails in any way is an Error.
func (m *Measurer) measure(ctx context.Context, i Inquiry, b *book, c pipelines.ResolvedCheck, s pipelines.ResolvedStep, t Tally) Finding {
	kind := s.Kind()
	source, known := m.sources[kind]
	if !known {
		return Finding{Verdict: api.Error, Message: fmt.Sprintf("no worker here can measure %q", kind)}
	}
	what, _ := pipelines.StepKindOf(kind)
	if timeout := orElse(s.Timeout, defaultTimeout); !what.Lasts || s.Timeout != nil {
		var cancel context.CancelFunc
		ctx, cancel = m.within(ctx, timeout)
		defer cancel()
	}
	q := Question{
		Step: s, Params: c.RuleValues(), Point: i.Point, Facts: i.Facts, Place: i.Place, Began: t.Began, Kept: t.Kept,
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
	return bounded(m.asked(ctx, source, q))
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
	if seen, err := json.Marshal(f.Seen); err != nil || len(seen) > maxSeen {
		f.Seen = map[string]any{"tooLong": true}
	}
	if len(f.Message) > maxMessage {
		f.Message = strings.ToValidUTF8(f.Message[:maxMessage], "") + "..."
	}
	return f
}

// book is the tallies of an inquiry.
type book struct {
	mu  sync.Mutex
	all Tallies
	say func(Tallies)
}

func newBook(i Inquiry) *book {
	b := &book{all: Tallies{}, say: i.Say}
	for name, t := range i.Before {
		b.all[name] = t
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
	return q.Facts.Value(name)
}
