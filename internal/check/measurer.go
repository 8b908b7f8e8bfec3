package check

import (
	"cmp"
	"context"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// Measurer measures the checks that are more than rules: it asks sources, as often as each step says, counts, and says what came
// of it. It is safe for concurrent use.
type Measurer struct {
	Heard Heard // what each measurement finds; nil where nobody wants to

	clock   clock.Clock
	sources Sources
}

// NewMeasurer returns a Measurer of these kinds and of gates among other steps.
func NewMeasurer(c clock.Clock, rules *Rules, more Sources) *Measurer {
	sources := Sources{"gate": SourceFunc(rules.step)}
	for name, s := range more {
		sources[name] = s
	}
	return &Measurer{clock: c, sources: sources}
}

// Knows reports whether a kind of step can be measured.
func (m *Measurer) Knows(kind string) bool { return m.sources[kind] != nil }

// Inquiry is checks that are to be measured, and about what.
type Inquiry struct {
	Point   pipelines.Point
	Checks  []pipelines.ResolvedCheck
	Facts   rule.Facts // where Place is nil
	Place   *Place
	Key     string  // of the run, the unit and the batch
	Before  Tallies // of whoever was at it before
	TaskRun string  // as a Question has them
	Retry   int
	Say     func(Tallies) // hears what has come of it so far
}

// Ask measures checks to their end, in their order, the steps of each one after another. A check that others run after, and that
// did not pass, has them Skipped. A context that ends is an error: what was cut short is no verdict. So is a cluster that cannot be
// reached, fault.Unreachable: that says nothing of the check.
func (m *Measurer) Ask(ctx context.Context, i Inquiry) ([]api.Check, error) {
	book := newBook(i)
	found, err := inOrder(i.Checks, i.Point, func(c pipelines.ResolvedCheck, found api.Check) (api.Check, error) {
		found.Verdict, found.Message = api.Error, noStep
		for s := range stepsOf(c) {
			t, err := m.step(ctx, i, book, c, s, max(1, s.Count))
			if err != nil {
				return found, err
			}
			found = told(found, t)
			if found.Verdict != api.Passed {
				break
			}
		}
		return found, nil
	})
	return spareFound(found), err
}

// Watch measures the steps of all checks beside each other until the first check that holds does not pass, or all measurements
// that they ask for are made. A context that ends is an error, and so is a cluster that cannot be reached, as Ask has it.
func (m *Measurer) Watch(ctx context.Context, i Inquiry) ([]api.Check, error) {
	book := newBook(i)
	found := make([]api.Check, len(i.Checks))
	within, over := context.WithCancelCause(ctx)
	end := func() { over(ErrOver) }
	defer end()
	var all sync.WaitGroup
	var mu sync.Mutex
	var away error
	for n, c := range i.Checks {
		found[n] = api.Check{Name: c.Name, At: i.Point, Advisory: c.Enforcement == pipelines.Advisory, Verdict: api.Passed}
		if len(c.Steps)+len(c.Gates) == 0 {
			found[n].Verdict, found[n].Message = api.Error, noStep
		}
		for s := range stepsOf(c) {
			all.Go(func() {
				t, err := m.step(within, i, book, c, s, s.Count)
				mu.Lock()
				defer mu.Unlock()
				judged := found[n].Verdict != api.Passed && found[n].Verdict != api.Skipped
				switch {
				case judged || err != nil && t.Passed > 0:
				case t.Verdict == api.Passed:
					found[n].Message, found[n].Seen = t.Message, t.Seen
				case err != nil:
					found[n].Verdict, found[n].Message = api.Skipped, "had not passed once when another check ended the looks"
				default:
					found[n] = told(found[n], t)
				}
				if fault.CodeOf(err) == fault.Unreachable {
					away = err
					end()
				}
				if err == nil && t.Verdict != api.Passed && !found[n].Advisory {
					end()
				}
			})
		}
	}
	all.Wait()
	if _, bad := plan.FirstBad(found); !bad {
		if err := cmp.Or(ctx.Err(), away); err != nil {
			return nil, err
		}
	}
	return spareFound(found), nil
}

// noStep is why a check that looks at nothing has not passed.
const noStep = "the check has no step"

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
	if known {
		t = t.handedOn(s.Repeat, m.clock.Now())
	} else {
		t = begin(s.Repeat, m.clock.Now())
	}
	for t.Verdict == "" {
		if err := m.until(ctx, t.Due); err != nil {
			return t, err
		}
		f := b.within(s.Name, m.measure(ctx, i, b, c, s, t))
		if ctx.Err() != nil {
			return t, ctx.Err()
		}
		if err := i.unreached(ctx, s, f); err != nil {
			t.Waits = err.Error()
			b.keep(s.Name, t)
			return t, err
		}
		m.Heard.tell(s.Kind(), f.Verdict)
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
