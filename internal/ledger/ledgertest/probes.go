package ledgertest

import (
	"fmt"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/probing"
)

// ran is what came of a run of case etcd.
func ran(id, cluster string, minute int, verdict api.Verdict) probing.Outcome {
	return probing.Outcome{
		ID: id, Cluster: cluster, Case: "etcd", Started: at(minute).UTC().Add(-2 * time.Second), Ended: at(minute).UTC(),
		Cause: probing.Cause{Kind: probing.BySchedule, Key: id}, Result: probing.Result{Verdict: verdict, Message: "it is as it is"},
	}
}

// stands is what is said of case etcd at a target, by a last result.
func stands(target string, state probing.State, last *probing.Outcome, until time.Time) probing.Stand {
	return probing.Stand{Cluster: "c1", Case: "etcd", Target: target, State: state, Since: at(0).UTC(), Until: until.UTC(), Last: last}
}

func testStands(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	say := func(minute int, stands ...probing.Stand) {
		t.Helper()
		ok(t, l.SaveSaid(ctx, []probing.Said{{Cluster: "c1", At: at(minute), Stands: stands}}, at(minute)))
	}
	list := func(of ledger.ProbesOf) (all []probing.Stand) {
		t.Helper()
		for _, m := range must[[]ledger.Marked[probing.Stand]](t)(l.PageStands(ctx, of, ledger.Page{})) {
			all = append(all, m.Row)
		}
		return all
	}
	first, second := ran("r1", "c1", 1, api.Passed), ran("r2", "c1", 2, api.Failed)
	failing := stands("m1", probing.Failing, &second, at(10))
	say(3, failing)
	say(4, stands("m1", probing.Passing, &first, at(9)))
	same(t, list(ledger.ProbesOf{}), []probing.Stand{failing}, "the later result counts, whichever is said last")
	failing.Missed = 7
	say(5, failing)
	same(t, list(ledger.ProbesOf{Cluster: "c1", Case: "etcd"}), []probing.Stand{failing}, "of one result, what is said later counts")
	other := failing
	other.Missed = 1
	say(4, other)
	same(t, list(ledger.ProbesOf{}), []probing.Stand{failing}, "and what was said before does not")
	none := stands("", probing.Unknown, nil, at(8))
	passing := stands("m2", probing.Passing, &first, at(9))
	say(6, none, passing)
	same(t, list(ledger.ProbesOf{}), []probing.Stand{passing, none, failing}, "the newest first")
	same(t, list(ledger.ProbesOf{Case: "dns"}), []probing.Stand(nil), "another case")
	same(t, list(ledger.ProbesOf{Bad: true, Now: at(7)}), []probing.Stand{none, failing}, "what is not passing")
	same(t, list(ledger.ProbesOf{Bad: true, Now: at(20)}), []probing.Stand{passing, none, failing}, "nor what nobody looks at any more")
	itself := ""
	same(t, list(ledger.ProbesOf{Target: &itself}), []probing.Stand{none}, "the cluster itself")
	same(t, must[[]ledger.ProbeCount](t)(l.CountStands(ctx, at(9).Add(time.Second))), []ledger.ProbeCount{
		{Case: "etcd", State: probing.Failing, Count: 1}, {Case: "etcd", State: probing.Unknown, Count: 2},
	}, "past its time a state is unknown")
	ok(t, l.SaveSaid(ctx, []probing.Said{{Cluster: "c1", At: at(5), Gone: []string{"etcd"}}}, at(7)))
	same(t, list(ledger.ProbesOf{}), []probing.Stand{passing, none}, "what has gone goes, and what was said after that stays")
	whole := func(minute int, cases ...string) {
		t.Helper()
		ok(t, l.SaveSaid(ctx, []probing.Said{
			{Cluster: "c2", At: at(minute), Stands: []probing.Stand{passing}}, {Cluster: "c1", At: at(minute), Whole: true, Cases: cases},
		}, at(minute)))
	}
	dns := passing
	dns.Case = "dns"
	say(6, dns)
	whole(5)
	same(t, len(list(ledger.ProbesOf{Cluster: "c1"})), 3, "a list that is older than what was said says nothing of it")
	whole(7, "etcd", "new")
	same(t, list(ledger.ProbesOf{Cluster: "c1"}), []probing.Stand{passing, none}, "what is not in the list has gone")
	whole(8)
	same(t, len(list(ledger.ProbesOf{Cluster: "c1"})), 0, "the last case too")
	same(t, len(list(ledger.ProbesOf{Cluster: "c2"})), 1, "of another cluster it says nothing")
	ok(t, l.SaveSaid(ctx, []probing.Said{
		{Cluster: "c1", At: at(8), Stands: []probing.Stand{passing, none, dns}}, {Cluster: "c1", At: at(9), Whole: true, Cases: []string{"etcd"}},
		{Cluster: "c2", At: at(9), Whole: true},
	}, at(9)))
	same(t, list(ledger.ProbesOf{}), []probing.Stand{passing, none}, "nor does what was said with it stay")

	var many []probing.Stand
	for i := range ledger.MaxProbeStands {
		many = append(many, stands(fmt.Sprint(i), probing.Passing, nil, at(9)))
	}
	tooMany := l.SaveSaid(ctx, []probing.Said{{Cluster: "c1", At: at(9), Stands: many}}, at(9))
	wantCode(t, tooMany, fault.Refused, "more than a cluster may have")
	same(t, len(list(ledger.ProbesOf{})), 2, "and nothing of it is kept")

	ok(t, l.SaveSaid(ctx, []probing.Said{
		{Cluster: "c1", At: at(9), Stands: []probing.Stand{passing}}, {Cluster: "c2", At: at(9), Stands: []probing.Stand{passing}},
	}, at(9)))
	later := at(8).Add(2 * ledger.ProbeUnsaid)
	ok(t, l.SaveSaid(ctx, []probing.Said{{Cluster: "c1", At: later, Stands: []probing.Stand{passing}}}, later))
	same(t, must[int64](t)(l.SweepProbes(ctx, later)), int64(1), "what a cluster that talks does not mention is forgotten")
	same(t, len(list(ledger.ProbesOf{})), 2, "what one has said that is silent is not")
}

func testProbeOutcomes(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	say := func(now time.Time, cluster string, all ...probing.Outcome) {
		t.Helper()
		ok(t, l.SaveSaid(ctx, []probing.Said{{Cluster: cluster, At: now, Outcomes: all}}, now))
	}
	ids := func(of ledger.ProbesOf, p ledger.Page) (ids []string, last ledger.Mark) {
		t.Helper()
		for _, m := range must[[]ledger.Marked[ledger.ProbeOutcome]](t)(l.PageProbeOutcomes(ctx, of, p)) {
			ids, last = append(ids, m.Row.Cluster+"/"+m.Row.ID), m.Mark
		}
		return ids, last
	}
	all := func(of ledger.ProbesOf) []string { out, _ := ids(of, ledger.Page{}); return out }
	say(at(5), "c1", ran("r1", "c1", 1, api.Passed), ran("r2", "c1", 2, api.Failed), ran("r3", "c1", 3, api.Error))
	say(at(6), "c1", ran("r1", "c1", 1, api.Passed), ran("r4", "c1", 4, api.Passed))
	say(at(6), "c2", ran("r2", "c1", 2, api.Failed))
	same(t, all(ledger.ProbesOf{}), []string{"c2/r2", "c1/r4", "c1/r3", "c1/r2", "c1/r1"}, "each once, of the cluster that says it")
	same(t, all(ledger.ProbesOf{Cluster: "c1", Bad: true}), []string{"c1/r3", "c1/r2"}, "what did not pass")
	head, on := ids(ledger.ProbesOf{Cluster: "c1"}, ledger.Page{Limit: 3})
	rest, _ := ids(ledger.ProbesOf{Cluster: "c1"}, ledger.Page{Limit: 3, After: on})
	same(t, append(head, rest...), []string{"c1/r4", "c1/r3", "c1/r2", "c1/r1"}, "page by page")

	took, hour := 2*time.Second, at(0).UTC().Truncate(time.Hour)
	count := func(cluster string, verdict api.Verdict, runs int64) ledger.ProbeHour {
		return ledger.ProbeHour{
			Cluster: cluster, Case: "etcd", Hour: hour, Verdict: verdict, Runs: runs, Worst: took, Total: time.Duration(runs) * took,
		}
	}
	hours := must[[]ledger.ProbeHour](t)
	same(t, hours(l.ListProbeHours(ctx, ledger.ProbesOf{Case: "etcd"}, time.Time{})), []ledger.ProbeHour{
		count("c1", api.Error, 1), count("c1", api.Failed, 1), count("c1", api.Passed, 2), count("c2", api.Failed, 1),
	}, "a run that is said twice counts once")
	same(t, hours(l.ListProbeHours(ctx, ledger.ProbesOf{Case: "etcd"}, hour)), []ledger.ProbeHour{}, "after an hour")

	label := func(cluster, id string, falsely bool) error {
		label := ledger.ProbeLabel{FalsePositive: falsely, By: "corp:ann", Because: "x", At: at(9).UTC()}
		_, err := l.LabelProbeOutcome(ctx, cluster, id, label)
		return err
	}
	all3 := []string{"c1", "c2", "c3"}
	failures := func() ledger.ProbeFailures {
		t.Helper()
		for _, f := range must[[]ledger.ProbeFailures](t)(l.CountProbeFailures(ctx, "etcd", all3)) {
			if f.Program == "" {
				return f
			}
		}
		return ledger.ProbeFailures{}
	}
	same(t, failures(), ledger.ProbeFailures{Unlabelled: 2, Noise: at(2).UTC()}, "nobody has looked")
	wantCode(t, label("", "r2", true), fault.Conflict, "two clusters have it")
	wantCode(t, label("c1", "r9", true), fault.NotFound, "there is none")
	wantCode(t, label("c1", "r3", true), fault.Invalid, "it could not look, and said nothing that may be false")
	ok(t, label("c1", "r2", true))
	ok(t, label("c2", "r2", false))
	same(t, failures(), ledger.ProbeFailures{False: 1, True: 1, Noise: at(2).UTC()}, "one was false")
	ok(t, label("c1", "r2", false))
	same(t, failures(), ledger.ProbeFailures{True: 2, Quiet: 2}, "the last label counts, and what is true is no noise")
	same(t, len(must[[]ledger.ProbeFailures](t)(l.CountProbeFailures(ctx, "etcd", nil))), 0, "of no cluster")
	wantCode(t, func() error {
		_, err := l.LabelProbeOutcome(ctx, "c1", "r2", ledger.ProbeLabel{By: "corp:ann"})
		return err
	}(),
		fault.Invalid, "for no reason")

	later := at(5).Add(ledger.ProbePassesFor)
	say(later, "c1", ran("r0", "c1", 0, api.Passed))
	same(t, len(all(ledger.ProbesOf{})), 5, "whether an old pass was counted nobody knows")
	same(t, must[int64](t)(l.SweepProbes(ctx, later)), int64(2), "what passed is kept for a day")
	same(t, all(ledger.ProbesOf{}), []string{"c2/r2", "c1/r3", "c1/r2"}, "and what did not for longer")
	same(t, must[int64](t)(l.SweepProbes(ctx, at(5).Add(ledger.ProbeFailuresFor))), int64(3), "but not for ever")
	same(t, len(hours(l.ListProbeHours(ctx, ledger.ProbesOf{}, time.Time{}))), 4, "the counts stay")
	same(t, failures(), ledger.ProbeFailures{Noise: hour}, "what is forgotten of a failure makes no pass before it a quiet one")
	ok(t, func() error { _, err := l.SweepProbes(ctx, at(5).Add(ledger.ProbeHoursFor+2*time.Hour)); return err }())
	same(t, len(hours(l.ListProbeHours(ctx, ledger.ProbesOf{}, time.Time{}))), 0, "for a quarter")
}

// A case is known by its name, and what it has proven belongs to what ran.
func testProbePrograms(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	one := func(id, program string, minute int, verdict api.Verdict) probing.Outcome {
		o := ran(id, "c1", minute, verdict)
		o.Program = program
		return o
	}
	ok(t, l.SaveSaid(ctx, []probing.Said{{Cluster: "c1", At: at(140), Outcomes: []probing.Outcome{
		one("r1", "old", 1, api.Failed), one("r2", "old", 61, api.Passed), one("r3", "old", 62, api.Passed),
		one("r4", "new", 63, api.Passed), one("r5", "new", 64, api.Failed), one("r6", "new", 130, api.Passed), one("r7", "", 3, api.Passed),
	}}}, at(140)))
	count := func() []ledger.ProbeFailures {
		t.Helper()
		return must[[]ledger.ProbeFailures](t)(l.CountProbeFailures(ctx, "etcd", []string{"c1"}))
	}
	same(t, count(), []ledger.ProbeFailures{
		{Program: "old", Unlabelled: 1, Quiet: 2, Noise: at(1).UTC()}, {Quiet: 1}, {Program: "new", Unlabelled: 1, Quiet: 1, Noise: at(64).UTC()},
	}, "each has passes and failures of its own")
	_, err := l.LabelProbeOutcome(ctx, "c1", "r5", ledger.ProbeLabel{By: "corp:ann", Because: "x", At: at(150).UTC()})
	ok(t, err)
	same(t, count()[0], ledger.ProbeFailures{Program: "new", True: 1, Quiet: 2}, "a label is of the program that failed")
	all := must[[]ledger.ProbeHour](t)(l.ListProbeHours(ctx, ledger.ProbesOf{}, time.Time{}))
	passed := int64(0)
	for _, h := range all {
		if h.Verdict == api.Passed {
			passed += h.Runs
		}
	}
	same(t, []int64{int64(len(all)), passed}, []int64{5, 5}, "hours are of the case, whatever ran")
}

// How noisy a case is, is counted of what is said, once however often that is.
func testProbeNoise(t *testing.T, l ledger.Ledger) {
	ctx, passed := t.Context(), ran("r0", "c1", 0, api.Passed)
	since := func(minute int, state probing.State, missed int64) probing.Stand {
		s := stands("m1", state, &passed, at(600))
		s.Since, s.Missed = at(minute).UTC(), missed
		return s
	}
	event := ran("r1", "c1", 12, api.Failed)
	event.Cause = probing.Cause{Kind: probing.ByEvent, At: new(at(12).Add(-3 * time.Second))}
	could := ran("r2", "c1", 13, api.Error)
	could.Cause = event.Cause // what could not look came to no verdict
	none := since(0, probing.Unknown, 2)
	none.Last = nil
	first := probing.Said{Cluster: "c1", At: at(1), Stands: []probing.Stand{none}}
	looked := probing.Said{Cluster: "c1", At: at(2), Stands: []probing.Stand{since(2, probing.Passing, 2)}}
	turned := probing.Said{Cluster: "c1", At: at(14), Stands: []probing.Stand{since(12, probing.Failing, 5)},
		Turns: []probing.Turn{
			{Case: "etcd", Target: "m1", State: probing.Failing, Since: at(5).UTC()}, {Case: "etcd", Target: "m1", Since: at(6).UTC()},
		},
		Outcomes: []probing.Outcome{passed, event, could}}
	anew := probing.Said{Cluster: "c1", At: at(15), Stands: []probing.Stand{since(12, probing.Failing, 1)}}
	for _, said := range []probing.Said{first, looked, looked, turned, turned, first, anew, anew} {
		ok(t, l.SaveSaid(ctx, []probing.Said{said}, said.At))
	}
	ok(t, l.SaveSaid(ctx, []probing.Said{anew, turned}, at(15)))
	_, err := l.LabelProbeOutcome(ctx, "c1", "r1", ledger.ProbeLabel{FalsePositive: true, By: "corp:ann", Because: "x", At: at(20).UTC()})
	ok(t, err)
	from, to := at(0).UTC().Truncate(time.Hour), at(60).UTC()
	want := []ledger.ProbeNoise{{
		Case: "etcd", From: from, To: to, Runs: 3, Failed: 1, CouldNot: 1, Missed: 4, False: 1, Turned: 3, Events: 1,
		Half: 3044 * time.Millisecond, Most: 3044 * time.Millisecond,
	}}
	list := must[[]ledger.ProbeNoise](t)
	same(t, list(l.ListProbeNoise(ctx, "", from, to)), want, "what was said")
	same(t, list(l.ListProbeNoise(ctx, "etcd", from, to)), want, "of one case")
	same(t, len(list(l.ListProbeNoise(ctx, "dns", from, to))), 0, "of another one")
	same(t, len(list(l.ListProbeNoise(ctx, "", to, to.Add(time.Hour)))), 0, "of another time")
	ok(t, func() error { _, err := l.SweepProbes(ctx, at(5).Add(ledger.ProbeHoursFor+2*time.Hour)); return err }())
	same(t, len(list(l.ListProbeNoise(ctx, "", from, to))), 0, "for a quarter")
}
