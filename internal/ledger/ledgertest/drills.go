package ledgertest

import (
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

func testDrills(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	first := api.Drilled{ID: "crash/1", Drill: "crash", Run: "agent-4", Outcome: api.DrillRuns, Started: at(1).UTC(), Until: at(31).UTC()}
	ok(t, l.SaveDrilled(ctx, first))
	ok(t, l.SaveDrilled(ctx, first))
	ok(t, l.SaveDrilled(ctx, api.Drilled{ID: "leak/1", Drill: "leak", Outcome: api.DrillNotRun, Started: at(2), Ended: at(2)}))
	same(t, must[api.Drilled](t)(l.Drilled(ctx, "crash/1")), first, "a drill comes back as it was saved, once")
	_, err := l.Drilled(ctx, "crash/2")
	wantCode(t, err, fault.NotFound, "no such drill")
	wantCode(t, l.SaveDrilled(ctx, api.Drilled{ID: "crash/3", Outcome: api.DrillRuns}), fault.Invalid, "a drill of nothing")

	first.Outcome, first.Check, first.Ended = api.DrillStopped, "ready", at(9).UTC()
	ok(t, l.SaveDrilled(ctx, first))
	ok(t, l.SaveDrilled(ctx, first))
	changed := first
	changed.Outcome = api.DrillNotStopped
	wantCode(t, l.SaveDrilled(ctx, changed), fault.Conflict, "one that has ended is history")
	ok(t, l.SaveDrilled(ctx, api.Drilled{ID: "crash/2", Drill: "crash", Outcome: api.DrillRuns, Started: at(3)}))
	ids := func(drill string, limit int) (all []string) {
		for _, d := range must[[]api.Drilled](t)(l.ListDrilled(ctx, drill, limit)) {
			all = append(all, d.ID)
		}
		return all
	}
	same(t, ids("", 0), []string{"crash/2", "leak/1", "crash/1"}, "newest first")
	same(t, ids("crash", 1), []string{"crash/2"}, "of one drill, bounded")

	run := must[ledger.Run](t)(l.NewRun(ctx, ledger.Run{Plan: "p", Subject: api.Component("agent"), Drill: "crash/1"}))
	same(t, must[ledger.Run](t)(l.Run(ctx, run.Name)).Drill, "crash/1", "a run says which drill it is of")
	run.Phase, run.Ended = "Failed", at(9)
	ok(t, l.SaveRun(ctx, run))
	same(t, len(must[map[string]int](t)(l.CountEnded(ctx))), 0, "what is meant to fail is not counted as failed")
}
