package ledgertest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/permit"
	"sluice.dev/sluice/pipelines"
)

func asking(run, component, cluster string, domains ...string) permit.Permit {
	return permit.Permit{
		Run: run, Subject: api.Component(component), Cluster: cluster, Domains: domains,
		Holder: permit.Holder{Workflow: run + "/" + cluster, At: at(0)},
	}
}

// anew is a permit that is asked for once more, or by the next execution of its unit.
func anew(p permit.Permit, minute int) permit.Permit {
	p.Holder.At = at(minute)
	return p
}

func testPermits(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	now := at(0)
	enter := func(p permit.Permit, limits ...permit.Limit) permit.Admission {
		t.Helper()
		return must[permit.Admission](t)(l.Enter(ctx, p, limits, now))
	}
	revision := func() int64 { t.Helper(); return must[int64](t)(l.PermitRevision(ctx)) }
	a, b := asking("a-1", "a", "c1", "rack=7"), asking("b-1", "b", "c2", "rack=7")
	same(t, enter(a), permit.Admission{}, "nobody is in the way")
	before := revision()
	ok(t, l.Trouble(ctx, a, "pods Failed", now))
	same(t, revision() == before, false, "that somebody may get in, or may not, is news")
	held := enter(b)
	same(t, held, permit.Admission{Holder: "a-1", Why: "a-1 is in trouble in c1 (rack=7): pods Failed"}, "another run's trouble keeps it out")
	same(t, enter(a), permit.Admission{}, "who is in stays in")
	same(t, enter(asking("a-1", "a", "c3", "rack=7")), permit.Admission{}, "a run's own trouble is its own")
	same(t, enter(asking("d-1", "d", "c9")), permit.Admission{}, "far from it nobody is kept out")
	back := asking("e-1", "e", "c1", "rack=7")
	back.Back = true
	same(t, enter(back), permit.Admission{}, "what goes back is never held")
	ok(t, l.Trouble(ctx, a, "", now))
	same(t, enter(b), permit.Admission{}, "once it is over, it gets in")
	ok(t, l.Trouble(ctx, a, "again", now))
	ok(t, l.Leave(ctx, "a-1", "c1", at(1)))
	ok(t, l.Leave(ctx, "a-1", "c1", at(1)))
	same(t, len(must[[]permit.Permit](t)(l.ListPermits(ctx))), 4, "who leaves has none")

	ok(t, l.Trouble(ctx, anew(a, 2), "again", now))
	late := asking("f-1", "f", "c1")
	same(t, enter(late).Given(), false, "a trouble without a permit counts")
	_, err := l.LetIn(ctx, "f-1", "c1", ledger.Lift{By: "ann", At: now})
	wantCode(t, err, fault.Invalid, "nobody is let in for no reason")
	_, err = l.LetIn(ctx, "f-1", "c2", ledger.Lift{By: "ann", Reason: "the fix", At: now})
	wantCode(t, err, fault.NotFound, "who does not wait")
	must[permit.Permit](t)(l.LetIn(ctx, "f-1", "c1", ledger.Lift{By: "ann", Reason: "the fix", At: now}))
	same(t, enter(late), permit.Admission{}, "whom a person lets in")
	_, err = l.LetIn(ctx, "f-1", "c1", ledger.Lift{By: "ann", Reason: "the fix", At: now})
	wantCode(t, err, fault.NotFound, "who is in already")

	testLimits(t, l)
	testLate(t, l)
}

// testLate: what a worker says late that was thought dead takes no place, and frees nobody else's.
func testLate(t *testing.T, l ledger.Ledger) {
	ctx, now := t.Context(), at(20)
	there := func(run string) (all []permit.Permit) {
		t.Helper()
		for _, p := range must[[]permit.Permit](t)(l.ListPermits(ctx)) {
			if p.Run == run {
				all = append(all, p)
			}
		}
		return all
	}
	run := must[ledger.Run](t)(l.NewRun(ctx, ledger.Run{Plan: "p", Subject: api.Component("late"), Started: now}))
	first := asking(run.Name, "late", "l1")
	ok(t, l.Leave(ctx, run.Name, "l1", at(5)))
	_, err := l.Enter(ctx, anew(first, 4), nil, now)
	wantCode(t, err, fault.Conflict, "it left before it came")
	wantCode(t, l.Trouble(ctx, anew(first, 5), "x", now), fault.Conflict, "what was said when it left is late too")
	same(t, len(there(run.Name)), 0, "who comes late takes no place")
	same(t, must[permit.Admission](t)(l.Enter(ctx, anew(first, 6), nil, now)), permit.Admission{}, "the next execution may enter")
	ok(t, l.Leave(ctx, run.Name, "l1", at(5)))
	same(t, len(there(run.Name)), 1, "who leaves late frees nobody else's")
	ok(t, l.Trouble(ctx, anew(first, 8), "", now))
	wantCode(t, l.Trouble(ctx, anew(first, 7), "pods Failed", now), fault.Conflict, "it is over")
	if has := there(run.Name); len(has) != 1 || has[0].Trouble != "" {
		t.Errorf("what is over holds: %+v", has)
	}
	before := must[int64](t)(l.PermitRevision(ctx))
	run.Phase, run.Ended = "Aborted", now
	ok(t, l.SaveRun(ctx, run))
	same(t, must[int64](t)(l.PermitRevision(ctx)) == before, false, "that a run has ended is news")
	_, err = l.Enter(ctx, anew(first, 9), nil, now)
	wantCode(t, err, fault.Conflict, "its run has ended")
	ok(t, l.Leave(ctx, run.Name, "l1", at(9)))
	same(t, len(there(run.Name)), 0, "a run that has ended has none")

	refuses := []permit.Limit{{Name: "one", Domain: permit.Cluster, Units: 1, OnConflict: pipelines.ConflictRefuse}}
	must[permit.Admission](t)(l.Enter(ctx, asking("m-1", "m", "l2"), refuses, now))
	no := asking("n-1", "n", "l2")
	for range 2 {
		_, err = l.Enter(ctx, no, refuses, now)
		wantCode(t, err, fault.Refused, "it is full, and does not queue")
	}
	must[permit.Admission](t)(l.Enter(ctx, asking("m-1", "m", "l3"), refuses, now))
	must[permit.Permit](t)(l.LetIn(ctx, "n-1", "l2", ledger.Lift{By: "ann", Reason: "the fix", At: now}))
	same(t, must[permit.Admission](t)(l.Enter(ctx, no, refuses, now)), permit.Admission{}, "who was refused can be let in all the same")
	same(t, there("n-1")[0].Turn > there("m-1")[1].Turn, true, "and asks again after all others")
}

// testLimits: places go to who asked first, are given back by who leaves and by runs that end, and never to more than there are.
func testLimits(t *testing.T, l ledger.Ledger) {
	ctx, now := t.Context(), at(10)
	one := permit.Limit{Name: "racks", Domain: "rack", Units: 1, OnConflict: pipelines.ConflictQueue}
	run := must[ledger.Run](t)(l.NewRun(ctx, ledger.Run{Plan: "p", Subject: api.Component("g"), Started: now}))
	enter := func(p permit.Permit, at time.Time) permit.Admission {
		t.Helper()
		return must[permit.Admission](t)(l.Enter(ctx, p, []permit.Limit{one}, at))
	}
	first, second, third := asking(run.Name, "g", "r1", "rack=8"), asking("h-1", "h", "r2", "rack=8"), asking("i-1", "i", "r3", "rack=8")
	same(t, enter(first, now), permit.Admission{}, "there is room for one")
	same(t, enter(second, now), permit.Admission{
		Holder: run.Name, Limit: "racks", Why: "limit racks: 1 of 1 units of rack=8 change now, first " + run.Name + " in r1",
	}, "and for no other")
	enter(third, now)
	run.Phase, run.Ended = "Aborted", now
	ok(t, l.SaveRun(ctx, run))
	same(t, enter(third, now).Given(), false, "who asked before it goes first")
	same(t, enter(second, now), permit.Admission{}, "the place of a run that has ended is free")
	ok(t, l.Leave(ctx, "h-1", "r2", at(1)))
	enter(anew(second, 2), now)
	late := enter(asking("j-1", "j", "r4", "rack=8"), now.Add(2*permit.WaiterLives))
	same(t, late, permit.Admission{}, "who does not ask any more loses its turn")

	ok(t, l.Trouble(ctx, asking("u-1", "u", "t9", "switch=s"), "pods Failed", now))
	same(t, enter(asking("t-1", "t", "t1", "rack=6", "switch=s"), now).Given(), false, "trouble in its other domain keeps it out")
	same(t, enter(asking("v-1", "v", "t2", "rack=6"), now), permit.Admission{}, "and who is kept out holds up nobody behind it")

	var in atomic.Int32
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			p := asking("race-"+string(rune('a'+i)), "race", "z"+string(rune('a'+i)), "rack=9")
			three := permit.Limit{Name: "three", Domain: "rack", Units: 3, OnConflict: pipelines.ConflictQueue}
			said, err := l.Enter(ctx, p, []permit.Limit{three}, now)
			if err != nil {
				t.Error(err)
			}
			if said.Given() {
				in.Add(1)
			}
		})
	}
	wg.Wait()
	same(t, in.Load(), int32(3), "of eight that ask at once, three get in")
}
