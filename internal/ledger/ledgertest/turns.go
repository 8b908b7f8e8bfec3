package ledgertest

import (
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/probing"
)

func testProbeTurns(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	run := ran("r1", "c1", 1, api.Failed)
	say := func(minute int, cluster string, stands ...probing.Stand) {
		t.Helper()
		ok(t, l.SaveSaid(ctx, []probing.Said{{Cluster: cluster, At: at(minute), Stands: stands}}, at(minute)))
	}
	say(2, "c1",
		stands("m1", probing.Failing, &run, at(9)), stands("m2", probing.Passing, &run, at(5)), stands("m3", probing.Paused, &run, at(0)))
	say(2, "c2", stands("", probing.Unknown, nil, at(9)), stands("m1", probing.Passing, &run, at(9)))
	say(2, "c3", stands("", probing.Passing, &run, at(9)))
	bad := func(minute int) (all []ledger.BadProbe) {
		t.Helper()
		for _, b := range must[[]ledger.BadProbe](t)(l.BadProbes(ctx, at(minute))) {
			found := must[map[int64]probing.Stand](t)(l.StandsAt(ctx, []int64{b.Worst, 4711}))
			same(t, len(found), 1, "stands that there are")
			same(t, found[b.Worst].Cluster, b.Cluster, "the cluster of the worst")
			if minute == 3 && b.Cluster == "c1" {
				same(t, found[b.Worst].Target, "m1", "one that fails speaks for one that is too old")
			}
			b.Worst = 0
			all = append(all, b)
		}
		return all
	}
	same(t, bad(3), []ledger.BadProbe{
		{Cluster: "c1", Case: "etcd", Failing: 1, Unknown: 1, Looked: 2}, {Cluster: "c2", Case: "etcd", Unknown: 1},
	}, "what fails, what is not known, and what was skipped too long ago")
	same(t, bad(6)[0], ledger.BadProbe{Cluster: "c1", Case: "etcd", Failing: 1, Unknown: 2, Looked: 3}, "a pass that is too old")
	same(t, bad(10)[0], ledger.BadProbe{Cluster: "c1", Case: "etcd", Unknown: 3, Looked: 3}, "a failure that is too old says nothing either")
	same(t, len(bad(10)), 3, "past its time all is unknown")
	same(t, must[map[string]probing.State](t)(l.BestStates(ctx, "etcd", []string{"c1", "c2", "c3", "c4"})), map[string]probing.State{
		"c1": probing.Passing, "c2": probing.Passing, "c3": probing.Passing,
	}, "the best of each cluster that has it")
	say(3, "c4", stands("", probing.Paused, nil, at(9)), stands("m1", probing.Unknown, nil, at(9)))
	same(t, must[map[string]probing.State](t)(l.BestStates(ctx, "etcd", []string{"c4"})), map[string]probing.State{"c4": probing.Paused},
		"skipped is better than not known")

	list := func() ([]ledger.ProbeTurn, int64) {
		t.Helper()
		all, revision, err := l.ListProbeTurns(ctx)
		ok(t, err)
		return all, revision
	}
	none, revision := list()
	same(t, len(none), 0, "turns before any is noticed")
	turn := func(cluster, probeCase string, state probing.State) ledger.ProbeTurn {
		return ledger.ProbeTurn{Cluster: cluster, Case: probeCase, State: state, At: at(4).UTC(), Severity: "P1", Owner: "team", Enforcing: true}
	}
	notice := ledger.Notice{
		Key: "probes/1", Receiver: "chat", Run: ledger.NoticesOfProbes, About: "etcd in c1", Event: "probeFailing", Body: "{}", At: at(4),
	}
	both := []ledger.ProbeTurn{turn("c2", "dns", probing.Unknown), turn("c1", "etcd", probing.Failing)}
	ok(t, l.TurnProbes(ctx, revision, both, []ledger.Notice{notice}))
	wantCode(t, l.TurnProbes(ctx, revision, both, []ledger.Notice{notice}), fault.Conflict, "two workers notice the same")
	now, next := list()
	same(t, now, both, "what was noticed, by case and cluster")
	same(t, len(must[[]ledger.Notice](t)(l.ListNotices(ctx, "chat", 0))), 1, "what follows is queued once")
	same(t, must[[]ledger.Notice](t)(l.ListNotices(ctx, "chat", 0))[0].About, "etcd in c1", "what it is about")
	wantCode(t, l.TurnProbes(ctx, next, nil, []ledger.Notice{{Key: "x", Receiver: "chat"}}), fault.Invalid, "of nothing")
	ok(t, l.TurnProbes(ctx, next, []ledger.ProbeTurn{turn("c1", "etcd", probing.Passing), {Cluster: "c2", Case: "dns"}}, nil))
	now, _ = list()
	same(t, now, []ledger.ProbeTurn{turn("c1", "etcd", probing.Passing)}, "one is another now, and one is forgotten")
}
