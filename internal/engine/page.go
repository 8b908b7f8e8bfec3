package engine

import (
	"sluice.dev/sluice/internal/ledger"
)

// Part is which part of a list somebody asks for, and what of it he may see.
type Part struct {
	ledger.Page
	Sees func(component string) bool // nil: all there is
}

// sees reports whether something of a component is in the list.
func (p Part) sees(component string) bool { return p.Sees == nil || p.Sees(component) }

// Page is a part of a list. Next is where the one after it begins; the zero value where nothing follows. It may have fewer things than
// were asked for, or none, and another may follow all the same: what is looked at for one page is bounded.
type Page[T any] struct {
	Items []T
	Next  ledger.Mark
}

// How much is read for a page.
const (
	maxLooked = 10_000 // rows, whether they are in the list or not
	readMore  = 500    // at a time, where not enough of those before were
)

// page reads rows after a mark until there are as many things as are asked for. Keep makes a thing of a row; false leaves it out.
func page[R, T any](
	p ledger.Page, read func(ledger.Page) ([]ledger.Marked[R], error), keep func(R) (T, bool, error),
) (Page[T], error) {
	out, most := Page[T]{Items: []T{}}, ledger.Rows(p.Limit)
	for looked := 0; looked < maxLooked; {
		p.Limit = most - len(out.Items) + 1 // one more says whether another page follows
		if looked > 0 && len(out.Items) < most {
			p.Limit = max(p.Limit, readMore)
		}
		p.Limit = min(p.Limit, maxLooked-looked)
		rows, err := read(p)
		if err != nil {
			return Page[T]{}, err
		}
		for _, r := range rows {
			if len(out.Items) == most {
				out.Next = p.After
				return out, nil
			}
			thing, is, err := keep(r.Row)
			if err != nil {
				return Page[T]{}, err
			}
			if is {
				out.Items = append(out.Items, thing)
			}
			p.After = r.Mark
		}
		if looked += len(rows); len(rows) < p.Limit {
			return out, nil
		}
	}
	out.Next = p.After
	return out, nil
}

// every is page of a list of which nothing is left out.
func every[T any](p ledger.Page, read func(ledger.Page) ([]ledger.Marked[T], error)) (Page[T], error) {
	return page(p, read, func(t T) (T, bool, error) { return t, true, nil })
}

// items are those of a page.
func items[T any](p Page[T], err error) ([]T, error) { return p.Items, err }
