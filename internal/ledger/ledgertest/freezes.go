package ledgertest

import (
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

func testFreezes(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	frozen := func() ([]api.Freeze, int64) {
		t.Helper()
		list, revision, err := l.Frozen(ctx)
		ok(t, err)
		return list, revision
	}
	list, never := frozen()
	same(t, len(list), 0, "nothing is frozen at first")
	same(t, never, int64(0), "the revision of nothing")

	wide := api.Freeze{Origin: api.FreezePerson, InFlight: api.PauseNow, By: "ann", Reason: "the network flaps", Since: at(1)}
	narrow := api.Freeze{
		Origin: api.FreezeRollback, Run: "agent-7", InFlight: api.Finish, By: "sluice", Reason: "it leaks", Since: at(2), Until: at(30),
		Scope: api.FreezeScope{
			Component: api.Component("agent"), Digest: "sha256:b", Environment: "production", Group: "cn",
			Clusters: []string{"cn-1"}, Labels: map[string]string{"tier": "gold"},
		},
	}
	wide = must[api.Freeze](t)(l.AddFreeze(ctx, wide))
	narrow = must[api.Freeze](t)(l.AddFreeze(ctx, narrow))
	same(t, []string{wide.Name, narrow.Name}, []string{"freeze-1", "freeze-2"}, "numbers")
	list, both := frozen()
	same(t, utc(list), utc([]api.Freeze{wide, narrow}), "freezes come back as they were made, the oldest first")
	if both <= never {
		t.Errorf("revision %d after two changes, %d before", both, never)
	}
	same(t, must[api.Freeze](t)(l.AddFreeze(ctx, narrow)).Name, narrow.Name, "a run makes one freeze")
	list, still := frozen()
	same(t, len(list), 2, "and no other")
	same(t, still, both, "which is no change")
	for reason, f := range map[string]api.Freeze{
		"a freeze of what was rolled back that says not what": {
			Origin: api.FreezeRollback, InFlight: api.PauseNow, By: "ann", Reason: "x", Run: "agent-8"},
		"a freeze by nobody":                           {Origin: api.FreezePerson, InFlight: api.PauseNow, Reason: "x"},
		"a freeze for no reason":                       {Origin: api.FreezePerson, InFlight: api.PauseNow, By: "ann"},
		"one that says not what becomes of what moves": {Origin: api.FreezePerson, By: "ann", Reason: "x"},
		"one that is over before it begins": {
			Origin: api.FreezePerson, InFlight: api.PauseNow, By: "ann", Reason: "x", Since: at(3), Until: at(3)},
	} {
		_, err := l.AddFreeze(ctx, f)
		wantCode(t, err, fault.Invalid, reason)
	}

	ok(t, l.EndFreezes(ctx, at(29)))
	_, still = frozen()
	same(t, still, both, "nothing is over, so nothing changes")
	ok(t, l.EndFreezes(ctx, at(30)))
	list, fewer := frozen()
	same(t, utc(list), utc([]api.Freeze{wide}), "one whose time is over does not hold")
	if fewer <= both {
		t.Errorf("revision %d after a freeze was over, %d before", fewer, both)
	}

	_, err := l.LiftFreeze(ctx, wide.Name, ledger.Lift{By: "ann", At: at(40)})
	wantCode(t, err, fault.Invalid, "a lift for no reason")
	lift := ledger.Lift{By: "bob", Reason: "it is quiet", At: at(40)}
	for _, name := range []string{"freeze-9", "freeze-01", "freeze-", "1", "", "freeze-x"} {
		_, err := l.LiftFreeze(ctx, name, lift)
		wantCode(t, err, fault.NotFound, "no such freeze: "+name)
		_, err = l.Freeze(ctx, name)
		wantCode(t, err, fault.NotFound, "no such freeze by name: "+name)
	}
	same(t, utc([]api.Freeze{must[api.Freeze](t)(l.Freeze(ctx, wide.Name))}), utc([]api.Freeze{wide}), "a freeze by its name")
	wide.Lifted, wide.LiftedBy, wide.LiftReason = at(40), "bob", "it is quiet"
	same(t, utc([]api.Freeze{must[api.Freeze](t)(l.LiftFreeze(ctx, wide.Name, lift))}), utc([]api.Freeze{wide}), "a lifted freeze")
	same(t, utc([]api.Freeze{must[api.Freeze](t)(l.Freeze(ctx, wide.Name))}), utc([]api.Freeze{wide}), "a lifted one by its name")
	was, err := l.LiftFreeze(ctx, wide.Name, ledger.Lift{By: "mallory", Reason: "me too", At: at(41)})
	wantCode(t, err, fault.Conflict, "a freeze is lifted once")
	same(t, was.LiftedBy, "bob", "who lifted it stays")
	list, last := frozen()
	same(t, len(list), 0, "nothing is frozen")

	narrow.Lifted, narrow.LiftedBy, narrow.LiftReason = at(30), "sluice", "its time is over"
	same(t, utc(must[[]api.Freeze](t)(l.ListFreezes(ctx, 0))), utc([]api.Freeze{narrow, wide}), "all there were, the newest first")
	same(t, len(must[[]api.Freeze](t)(l.ListFreezes(ctx, 1))), 1, "bounded")

	testTold(t, l, last)
}

func testTold(t *testing.T, l ledger.Ledger, revision int64) {
	ctx := t.Context()
	newRun := func() ledger.Run {
		return must[ledger.Run](t)(l.NewRun(ctx, ledger.Run{Plan: "sha256:a", Subject: api.Component("agent"), Phase: "Moving", Started: at(1)}))
	}
	first, second, over := newRun(), newRun(), newRun()
	over.Phase, over.Ended = "Succeeded", at(2)
	ok(t, l.SaveRun(ctx, over))
	hearers := must[[]ledger.Hearer](t)
	untold := func(revision int64) (names []string) {
		t.Helper()
		for _, h := range hearers(l.Untold(ctx, revision, 0)) {
			name := h.Run.Name
			if h.Held {
				name += " held"
			}
			names = append(names, name)
		}
		return names
	}
	same(t, untold(revision), []string{first.Name, second.Name}, "open runs have heard of nothing yet")
	ok(t, l.Told(ctx, first.Name, ledger.Heard{Revision: revision, Held: true}))
	ok(t, l.Told(ctx, first.Name, ledger.Heard{Revision: revision - 1}))
	same(t, untold(revision), []string{second.Name}, "one that was told, and told again of what was before")
	same(t, untold(revision+1), []string{first.Name + " held", second.Name}, "the next change is news to all")
	same(t, hearers(l.Untold(ctx, revision+1, 0))[0].Run, first, "a run comes whole")
	same(t, len(hearers(l.Untold(ctx, revision+1, 1))), 1, "bounded")
	ok(t, l.Told(ctx, "agent-99", ledger.Heard{Revision: revision}))
}

// utc is freezes with times as a store gives them back.
func utc(all []api.Freeze) []api.Freeze {
	out := make([]api.Freeze, len(all))
	for i, f := range all {
		f.Since, f.Until, f.Lifted = f.Since.UTC(), f.Until.UTC(), f.Lifted.UTC()
		out[i] = f
	}
	return out
}
