package ledgertest

import (
	"fmt"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

func testNotices(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	agent := ledger.Run{Plan: "sha256:a", Subject: api.Component("agent"), Version: "1", Phase: "Moving", By: "ann"}
	start := func(minute int) ledger.Run {
		t.Helper()
		agent.Started = at(minute)
		return must[ledger.Run](t)(l.NewRun(ctx, agent))
	}
	run := start(0)
	old := start(0)
	old.Phase, old.Ended = string(api.PhaseSucceeded), at(1)
	ok(t, l.SaveRun(ctx, old))

	since := must[map[string]time.Time](t)(l.Since(ctx, []string{"pager", "mail"}, at(2)))
	again := must[map[string]time.Time](t)(l.Since(ctx, []string{"pager"}, at(3)))
	if !since["pager"].Equal(at(2)) || !again["pager"].Equal(at(2)) {
		t.Errorf("the receiver was heard of first at %v, then at %v", since, again)
	}

	open := must[[]ledger.Noticed](t)(l.Unnoticed(ctx, at(2), 0))
	same(t, len(open), 1, "runs to look at: one has ended long before")
	same(t, open[0].Run.Name, run.Name, "the run that is open")
	notice := func(n int, receiver, event string) ledger.Notice {
		key := fmt.Sprintf("%s/%s/%d", run.Name, event, n)
		return ledger.Notice{Key: key, Receiver: receiver, Run: run.Name, Event: event, Body: "{}", At: at(2)}
	}
	ok(t, l.Notice(ctx, open[0], "held", []ledger.Notice{notice(1, "pager", "held"), notice(1, "mail", "held")}))
	wantCode(t, l.Notice(ctx, open[0], "held", []ledger.Notice{notice(2, "pager", "held")}), fault.Conflict, "two workers notice the same")
	open = must[[]ledger.Noticed](t)(l.Unnoticed(ctx, at(2), 0))
	same(t, open[0].Last, "held", "what was noticed last")
	ok(t, l.Notice(ctx, open[0], "", []ledger.Notice{notice(1, "pager", "held"), notice(1, "pager", "resumed")}))
	nobody := []ledger.Notice{{Key: "x", Run: run.Name, Event: "held"}}
	wantCode(t, l.Notice(ctx, ledger.Noticed{Run: run}, "", nobody), fault.Invalid, "for nobody")

	claim := func(receiver string, minute int) (ledger.Notice, error) {
		return l.Claim(ctx, ledger.Claim{Receiver: receiver, Now: at(minute), Until: at(minute + 2), PerMinute: 2})
	}
	held := must[ledger.Notice](t)(claim("pager", 3))
	same(t, []any{held.Event, held.Attempts, held.Key}, []any{"held", 1, run.Name + "/held/1"}, "the first of a run goes first")
	_, err := claim("pager", 3)
	wantCode(t, err, fault.NotFound, "it is claimed, and what comes after it waits")
	_, err = claim("other", 3)
	wantCode(t, err, fault.NotFound, "a receiver that there is not")
	held = must[ledger.Notice](t)(claim("pager", 5))
	same(t, held.Attempts, 2, "whoever claimed it has died: attempts")

	ok(t, l.Settle(ctx, held, ledger.Settlement{At: at(5), Outcome: "500", Again: at(8), Quiet: at(9)}))
	for _, minute := range []int{7, 8} {
		_, err = claim("pager", minute)
		wantCode(t, err, fault.NotFound, "it is not to be told yet")
	}
	held = must[ledger.Notice](t)(claim("pager", 9))
	ok(t, l.Settle(ctx, held, ledger.Settlement{At: at(9), Outcome: "200", Took: true, Again: at(10)})) // it stands
	resumed := must[ledger.Notice](t)(claim("pager", 9))
	same(t, resumed.Event, "resumed", "what stands does not keep back what comes after it")
	_, err = claim("pager", 9)
	wantCode(t, err, fault.NotFound, "nothing is due")
	ok(t, l.Settle(ctx, resumed, ledger.Settlement{At: at(9), Outcome: "200", Took: true}))
	_, err = l.Claim(ctx, ledger.Claim{Receiver: "pager", Now: at(10).Add(-time.Second), Until: at(11), PerMinute: 2})
	wantCode(t, err, fault.NotFound, "it was told twice in a minute")

	_, err = claim("pager", 10)
	wantCode(t, err, fault.NotFound, "what was told when something had come after it stands no more")
	open = must[[]ledger.Noticed](t)(l.Unnoticed(ctx, at(2), 0))
	ok(t, l.Notice(ctx, open[0], "held", []ledger.Notice{notice(2, "pager", "held")}))
	standing := must[ledger.Notice](t)(claim("pager", 10))
	ok(t, l.Settle(ctx, standing, ledger.Settlement{At: at(10), Outcome: "200", Took: true, Again: at(11)}))
	standing = must[ledger.Notice](t)(claim("pager", 11))
	same(t, standing.Event, "held", "what stands is told again")
	open = must[[]ledger.Noticed](t)(l.Unnoticed(ctx, at(2), 0))
	end := notice(1, "pager", "done")
	end.At = at(11)
	ok(t, l.Notice(ctx, open[0], ledger.NoticedEnd, []ledger.Notice{end}))
	_, err = claim("pager", 11)
	wantCode(t, err, fault.NotFound, "what is on its way goes before the end")
	ok(t, l.Settle(ctx, standing, ledger.Settlement{At: at(11), Outcome: "200", Took: true, Again: at(12)}))
	done := must[ledger.Notice](t)(claim("pager", 11))
	same(t, done.Event, "done", "and stands no more")
	ok(t, l.Settle(ctx, done, ledger.Settlement{At: at(11), Outcome: "given up: 400", GaveUp: true}))
	same(t, len(must[[]ledger.Noticed](t)(l.Unnoticed(ctx, at(2), 0))), 0, "runs to look at after the end")

	ok(t, l.GiveUp(ctx, at(1), at(1), at(20)))
	same(t, len(must[[]ledger.Notice](t)(l.ListNotices(ctx, "", 0))), 5, "notices while none is old")
	ok(t, l.GiveUp(ctx, at(20), at(1), at(20)))
	mail := must[[]ledger.Notice](t)(l.ListNotices(ctx, "mail", 0))
	same(t, mail[0].Outcome, "given up: too late", "what nobody has taken")
	var said []string
	for _, e := range must[[]ledger.Entry](t)(l.ListEntries(ctx, run.Name, 0)) {
		said = append(said, e.Command+" "+e.Scope+" "+e.Reason+": "+e.Outcome)
	}
	same(t, said, []string{"notify mail held: given up: too late", "notify pager done: given up: 400"}, "the audit")
	ok(t, l.GiveUp(ctx, at(20), at(30), at(30)))
	same(t, len(must[[]ledger.Notice](t)(l.ListNotices(ctx, "", 0))), 0, "notices after all are forgotten")

	must[map[string]time.Time](t)(l.Since(ctx, []string{"chat"}, at(2)))
	ended := start(30)
	ok(t, l.Notice(ctx, ledger.Noticed{Run: ended}, "held", []ledger.Notice{
		{Key: "a", Receiver: "chat", Run: ended.Name, Event: "held", Body: "{}", At: at(30)},
	}))
	told := must[ledger.Notice](t)(claim("chat", 30))
	ok(t, l.Settle(ctx, told, ledger.Settlement{At: at(30), Outcome: "200", Took: true, Again: at(31)}))
	ended.Phase, ended.Ended = string(api.PhaseAborted), at(31)
	ok(t, l.SaveRun(ctx, ended))
	ok(t, l.GiveUp(ctx, at(1), at(1), at(32)))
	_, err = claim("chat", 33)
	wantCode(t, err, fault.NotFound, "its run has ended, though nobody was to hear of that")

	next := start(30)
	var flood []ledger.Notice
	for i := range ledger.MaxNotices + 2 {
		flood = append(flood, ledger.Notice{Key: fmt.Sprint(i), Receiver: "pager", Run: next.Name, Event: "held", Body: "{}", At: at(30)})
	}
	ok(t, l.Notice(ctx, ledger.Noticed{Run: next}, "x", flood))
	list := must[[]ledger.Notice](t)(l.ListNotices(ctx, "pager", 3))
	waits := []bool{list[0].Settled.IsZero(), list[1].Settled.IsZero(), list[2].Settled.IsZero()}
	same(t, waits, []bool{false, false, true}, "no more wait than may")
}
