package ledgertest

import (
	"fmt"
	"slices"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
)

// paging is a list that is read in pages. What is there at first is all of one time, and of two sorts.
type paging struct {
	name string
	sort []string // what it can be narrowed to, besides to all
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
		first := len(p.list(""))
		added := pagedRows
		for _, sort := range append(p.sort, "") {
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
		same(t, []int{first, len(p.list(""))}, []int{pagedRows, added}, p.name+": all that were added")
		if added == pagedRows || len(p.list(p.sort[0])) < pagedRows/3 {
			t.Errorf("%s: %d were added while somebody read, and %d are of one sort", p.name, added-pagedRows, len(p.list(p.sort[0])))
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
	plan := func(p ledger.Plan) string { return p.Hash }
	notice := func(n ledger.Notice) string { return n.Key }
	drilled := func(d api.Drilled) string { return d.ID }
	freeze := func(f api.Freeze) string { return f.Name }
	body := must[string](t)(l.PutBlob(ctx, []byte("the plan")))
	var noticed ledger.Noticed
	return []paging{
		{
			"audit", []string{"agent", "proxy"},
			func(n int, sort string) {
				ok(t, l.AddEntry(ctx, ledger.Entry{At: at(1), Who: "ann", Command: "pause", Object: sort, Scope: fmt.Sprint(n)}))
			},
			func(sort string) []string { return names(t, entry)(l.ListEntries(ctx, sort, 0)) },
			func(sort string, p ledger.Page) ([]string, []ledger.Mark) {
				return page(t, entry)(l.PageEntries(ctx, sort, p))
			},
		},
		{
			"runs", []string{"agent", "proxy"},
			func(_ int, sort string) {
				must[ledger.Run](t)(l.NewRun(ctx, ledger.Run{Plan: "p", Subject: api.Component(sort), Started: at(1), By: "ann"}))
			},
			func(sort string) []string { return names(t, run)(l.ListRuns(ctx, api.ParseSubject(sort), 0)) },
			func(sort string, p ledger.Page) ([]string, []ledger.Mark) {
				return page(t, run)(l.PageRuns(ctx, api.ParseSubject(sort), p))
			},
		},
		{
			"plans", []string{"agent", "proxy"},
			func(n int, sort string) {
				made := at(1)
				if n >= pagedRows {
					made = at(n)
				}
				hash := ledger.Digest([]byte(fmt.Sprint(n)))
				ok(t, l.SavePlan(ctx, ledger.Plan{Hash: hash, Subject: api.Component(sort), Body: body, Created: made}))
			},
			func(sort string) []string { return names(t, plan)(l.ListPlans(ctx, api.ParseSubject(sort), 0)) },
			func(sort string, p ledger.Page) ([]string, []ledger.Mark) {
				return page(t, plan)(l.PagePlans(ctx, api.ParseSubject(sort), p))
			},
		},
		{
			"notices", []string{"agent", "proxy"},
			func(n int, sort string) {
				if n == 0 {
					noticed.Run = must[ledger.Run](t)(l.NewRun(ctx, ledger.Run{Plan: "p", Subject: api.Component("night")}))
				}
				ok(t, l.Notice(ctx, noticed, "", []ledger.Notice{
					{Key: fmt.Sprint(n), Receiver: sort, Run: noticed.Run.Name, Event: "held", Body: "{}", At: at(1)},
				}))
			},
			func(sort string) []string { return names(t, notice)(l.ListNotices(ctx, sort, 0)) },
			func(sort string, p ledger.Page) ([]string, []ledger.Mark) {
				return page(t, notice)(l.PageNotices(ctx, sort, p))
			},
		},
		{
			"drilled", []string{"agent", "proxy"},
			func(n int, sort string) {
				ok(t, l.SaveDrilled(ctx, api.Drilled{ID: fmt.Sprint(n), Drill: sort, Outcome: api.DrillRuns, Started: at(1)}))
			},
			func(sort string) []string { return names(t, drilled)(l.ListDrilled(ctx, sort, 0)) },
			func(sort string, p ledger.Page) ([]string, []ledger.Mark) {
				return page(t, drilled)(l.PageDrilled(ctx, sort, p))
			},
		},
		{
			"freezes", []string{"that hold"},
			func(n int, _ string) {
				made := must[api.Freeze](t)(l.AddFreeze(ctx, api.Freeze{
					Origin: api.FreezePerson, InFlight: api.PauseNow, By: "ann", Reason: "x", Since: at(1),
				}))
				if n%3 == 0 {
					must[api.Freeze](t)(l.LiftFreeze(ctx, made.Name, ledger.Lift{By: "ann", Reason: "over", At: at(2)}))
				}
			},
			func(sort string) []string {
				if sort == "" {
					return names(t, freeze)(l.ListFreezes(ctx, 0))
				}
				list, _, err := l.Frozen(ctx)
				slices.Reverse(list)
				return names(t, freeze)(list, err)
			},
			func(sort string, p ledger.Page) ([]string, []ledger.Mark) {
				return page(t, freeze)(l.PageFreezes(ctx, sort == "", p))
			},
		},
	}
}
