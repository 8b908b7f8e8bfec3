package ledgertest

import (
	"fmt"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
)

// paging is a list that is read in pages. What is added is of one of two sorts, all at one time.
type paging struct {
	name string
	add  func(n int, sort string)
	list func(sort string) []string
	page func(sort string, p ledger.Page) ([]string, []ledger.Mark)
}

const pagedRows = 15

// testPages reads every list in pages of several sizes, and has something be added between them.
func testPages(t *testing.T, l ledger.Ledger) {
	for _, p := range pagings(t, l) {
		for n := range pagedRows {
			p.add(n, []string{"agent", "proxy", "agent"}[n%3])
		}
		added := pagedRows
		for _, sort := range []string{"", "agent", "proxy"} {
			for _, size := range []int{1, 2, 7, pagedRows, 0} {
				want := p.list(sort)
				var got []string
				at := ledger.Mark{}
				for len(got) <= len(want) {
					names, marks := p.page(sort, ledger.Page{After: at, Limit: size})
					if len(names) == 0 {
						break
					}
					if size > 0 && len(names) > size {
						t.Fatalf("%s: a page of %d has %d", p.name, size, len(names))
					}
					got, at = append(got, names...), marks[len(marks)-1]
					if added < 3*pagedRows {
						p.add(added, []string{"agent", "proxy"}[added%2])
						added++
					}
				}
				same(t, got, want, fmt.Sprintf("%s of %q in pages of %d, while some are added", p.name, sort, size))
			}
		}
		if len(p.list("")) != added || added == pagedRows || len(p.list("proxy")) < pagedRows/3 {
			t.Errorf("%s: %d were added, the list has %d", p.name, added, len(p.list("")))
		}
	}
}

// page is rows of a list by their names, and the places after them.
func page[T any](t *testing.T, name func(T) string) func([]ledger.Marked[T], error) ([]string, []ledger.Mark) {
	return func(rows []ledger.Marked[T], err error) (names []string, marks []ledger.Mark) {
		t.Helper()
		ok(t, err)
		for _, r := range rows {
			names, marks = append(names, name(r.Row)), append(marks, r.Mark)
		}
		return names, marks
	}
}

// names are those of all rows of a list.
func names[T any](t *testing.T, name func(T) string) func([]T, error) []string {
	return func(rows []T, err error) (all []string) {
		t.Helper()
		ok(t, err)
		for _, r := range rows {
			all = append(all, name(r))
		}
		return all
	}
}

func pagings(t *testing.T, l ledger.Ledger) []paging {
	ctx := t.Context()
	entry := func(e ledger.Entry) string { return e.Scope }
	run := func(r ledger.Run) string { return r.Name }
	return []paging{
		{
			"audit",
			func(n int, sort string) {
				ok(t, l.AddEntry(ctx, ledger.Entry{At: at(1), Who: "ann", Command: "pause", Object: sort, Scope: fmt.Sprint(n)}))
			},
			func(sort string) []string { return names(t, entry)(l.ListEntries(ctx, sort, 0)) },
			func(sort string, p ledger.Page) ([]string, []ledger.Mark) {
				return page(t, entry)(l.PageEntries(ctx, sort, p))
			},
		},
		{
			"runs",
			func(_ int, sort string) {
				must[ledger.Run](t)(l.NewRun(ctx, ledger.Run{Plan: "p", Subject: api.Component(sort), Started: at(1), By: "ann"}))
			},
			func(sort string) []string { return names(t, run)(l.ListRuns(ctx, api.ParseSubject(sort), 0)) },
			func(sort string, p ledger.Page) ([]string, []ledger.Mark) {
				return page(t, run)(l.PageRuns(ctx, api.ParseSubject(sort), p))
			},
		},
	}
}
