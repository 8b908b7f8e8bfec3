package ledgertest

import (
	"fmt"
	"sync"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

func testRuns(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	first := must[ledger.Run](t)(l.NewRun(ctx, ledger.Run{
		Plan: "sha256:a", Subject: api.Component("agent"), Version: "1", Phase: "Running", Started: at(1), By: "ann",
	}))
	second := must[ledger.Run](t)(l.NewRun(ctx, ledger.Run{
		Plan: "sha256:b", Subject: api.Component("agent"), Version: "0", Back: first.Name,
		Phase: "Running", Started: at(2), By: "bob", Reason: "it leaks", Live: "sha256:l",
	}))
	other := must[ledger.Run](t)(l.NewRun(ctx, ledger.Run{Plan: "sha256:c", Subject: api.Component("agent-2"), Started: at(3)}))
	same(t, []string{first.Name, second.Name, other.Name}, []string{"agent-1", "agent-2", "agent-2-1"}, "numbers count within a component")
	same(t, must[ledger.Run](t)(l.Run(ctx, "agent-2")), second, "a run comes back as it was made")
	_, err := l.Run(ctx, "agent-9")
	wantCode(t, err, fault.NotFound, "no such run")
	_, err = l.NewRun(ctx, ledger.Run{Plan: "sha256:a"})
	wantCode(t, err, fault.Invalid, "a run of nothing")

	first.Phase = "Paused"
	ok(t, l.SaveRun(ctx, ledger.Run{Name: first.Name, Phase: "Paused", By: "mallory", Live: "sha256:m"}))
	same(t, must[ledger.Run](t)(l.Run(ctx, first.Name)), first, "saving changes phase, end and report only")
	first.Phase, first.Ended, first.Report = "Succeeded", at(5), "sha256:r"
	ok(t, l.SaveRun(ctx, first))
	ok(t, l.SaveRun(ctx, first))
	changed := first
	changed.Phase = "Failed"
	wantCode(t, l.SaveRun(ctx, changed), fault.Conflict, "an ended run is history")
	wantCode(t, l.SaveRun(ctx, ledger.Run{Name: "agent-9"}), fault.NotFound, "a run that was never made")
	same(t, must[ledger.Run](t)(l.Run(ctx, first.Name)), first, "a refused save changes nothing")

	names := []string{}
	for _, r := range must[[]ledger.Run](t)(l.ListRuns(ctx, api.Subject{}, 2)) {
		names = append(names, r.Name)
	}
	same(t, names, []string{"agent-2-1", "agent-2"}, "newest first, bounded")
	same(t, len(must[[]ledger.Run](t)(l.ListRuns(ctx, api.Component("agent"), 0))), 2, "one component's runs")

	testOvertaken(t, l)
	const parallel = 20
	var wg sync.WaitGroup
	made := make([]string, parallel)
	for i := range parallel {
		wg.Go(func() {
			r, err := l.NewRun(ctx, ledger.Run{Plan: "p", Subject: api.Component("race")})
			if err != nil {
				t.Error(err)
			}
			made[i] = r.Name
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, name := range made {
		seen[name] = true
	}
	for i := range parallel {
		if want := fmt.Sprintf("race-%d", i+1); !seen[want] {
			t.Errorf("runs that are made at once get numbers without gaps: %s is missing in %v", want, made)
		}
	}
}

func testOvertaken(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	run := func(back string, direct bool) string {
		return must[ledger.Run](t)(l.NewRun(ctx, ledger.Run{Plan: "p", Subject: api.Component("night"), Back: back, Direct: direct})).Name
	}
	by := func(name string) string {
		over, err := l.Overtaken(ctx, name)
		if err != nil {
			wantCode(t, err, fault.NotFound, name)
			return ""
		}
		return over.Name
	}
	one, other := run("", false), run("", false)
	back := run(one, false)
	same(t, by(one), "", "a rollback that Temporal knows overtakes nobody")
	first := run(one, true)
	same(t, []string{by(one), by(back), by(other), by(first)}, []string{first, first, "", ""}, "the run, and what takes it back, but no other")
	rest, second := run(one, false), run(one, true)
	same(t, []string{by(one), by(first), by(rest)}, []string{second, second, second}, "the latest, which overtakes the one before")
	same(t, by(run(one, false)), "", "what takes back the rest, later, is not overtaken")
	same(t, must[ledger.Run](t)(l.Run(ctx, first)).Direct, true, "it is kept that a run is direct")
}

func testRunNames(t *testing.T, l ledger.Ledger) {
	r := ledger.Run{Plan: "sha256:a", Subject: api.Component("agent")}
	names := []string{}
	for _, floor := range []int64{6, 3, 0} {
		names = append(names, must[ledger.Run](t)(l.NewRunAbove(t.Context(), r, floor)).Name)
	}
	same(t, names, []string{"agent-7", "agent-8", "agent-9"}, "a number is above the floor, and above all that were given")
	_, err := l.NewRunAbove(t.Context(), r, -1)
	wantCode(t, err, fault.Invalid, "a floor below all numbers")
	for name, number := range map[string]int64{"agent-7": 7, "agent-x": 0, "agent-07": 0, "other-7": 0, "": 0} {
		if got := (ledger.Run{Name: name, Subject: r.Subject}).Number(); got != number {
			t.Errorf("the number of %q is %d, want %d", name, got, number)
		}
	}
}
