package engine_test

import (
	"context"
	"slices"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger"
)

// history is a ledger with runs that have ended, with numbers from some one down to 1. Every hundredth has failed, and one in two is
// of the agent.
type history struct {
	engine.Ledger
	runs  int64
	asked []int // how many at a time
}

func (h *history) PageRuns(_ context.Context, _ api.Subject, p ledger.Page) (list []ledger.Marked[ledger.Run], err error) {
	h.asked = append(h.asked, p.Limit)
	number := h.runs
	if p.After.Number > 0 {
		number = p.After.Number - 1
	}
	for ; number > 0 && len(list) < ledger.Rows(p.Limit); number-- {
		run := ledger.Run{Name: "r", Subject: api.Component([]string{"agent", "proxy"}[number%2]), Phase: "Succeeded", Ended: noon}
		if number%100 == 0 {
			run.Phase = "Failed"
		}
		list = append(list, ledger.Marked[ledger.Run]{Row: run, Mark: ledger.Mark{Number: number}})
	}
	return list, nil
}

func TestHowMuchIsReadForAPage(t *testing.T) {
	failed := []api.Phase{api.PhaseFailed}
	agent := func(component string) bool { return component == "agent" }
	for _, c := range []struct {
		reason string
		runs   int64
		phases []api.Phase
		sees   func(string) bool
		after  int64
		limit  int
		found  int
		next   int64
		asked  []int
	}{
		{"a page, and whether there is more", 100, nil, nil, 0, 10, 10, 91, []int{11}},
		{"the rest, to the last", 100, nil, nil, 11, 10, 10, 0, []int{11}},
		{"less than a page", 5, nil, nil, 0, 10, 5, 0, []int{11}},
		{"nothing", 0, nil, nil, 0, 10, 0, 0, []int{11}},
		{"what is rare is looked for further on", 2000, failed, nil, 0, 3, 3, 1800, []int{4, 500}},
		{"a page is full with the last that fits", 299, failed, nil, 0, 2, 2, 100, []int{3, 500}},
		{"what somebody may see", 100, nil, agent, 0, 10, 10, 82, []int{11, 500}},
		{"what nobody may see is looked at to a bound", 50_000, nil, func(string) bool { return false }, 0, 10, 0, 40_001,
			append([]int{11}, append(slices.Repeat([]int{500}, 19), 489)...)},
		{"as much as a list may have", 50_000, nil, nil, 0, 0, 10_000, 40_001, []int{10_000}},
	} {
		h := &history{runs: c.runs}
		got, err := engine.New(h, nil, engine.Options{}).RunsPage(t.Context(), engine.RunsQuery{Phases: c.phases}, engine.Part{
			Page: ledger.Page{After: ledger.Mark{Number: c.after}, Limit: c.limit}, Sees: c.sees,
		})
		if err != nil || len(got.Items) != c.found || got.Next != (ledger.Mark{Number: c.next}) || !slices.Equal(h.asked, c.asked) {
			t.Errorf("%s: %d runs, next %+v, %v; read %v", c.reason, len(got.Items), got.Next, err, h.asked)
		}
	}
}
