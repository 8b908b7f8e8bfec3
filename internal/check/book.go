package check

import (
	"strings"
	"sync"

	"sluice.dev/sluice/pipelines"
)

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
