package ledgertest

import (
	"fmt"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

func testBypasses(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	revision := func() int64 {
		t.Helper()
		_, revision, err := l.Frozen(ctx)
		ok(t, err)
		return revision
	}
	never, list, add := revision(), must[[]ledger.Bypass](t), must[ledger.Bypass](t)
	same(t, len(list(l.Bypasses(ctx, "sha256:a"))), 0, "nothing is bypassed at first")
	ann := ledger.Bypass{Plan: "sha256:a", Of: "freeze-1", By: "ann", Reason: "the fix has to go out", At: at(1).UTC()}
	bob := ann
	bob.By, bob.Reason = "bob", "me too"
	same(t, add(l.AddBypass(ctx, ann)), ann, "a bypass comes back as it was made")
	once := revision()
	if once <= never {
		t.Errorf("revision %d after a bypass, %d before: no run would hear of it", once, never)
	}
	again := ann
	again.Reason, again.At = "once more", at(2)
	same(t, add(l.AddBypass(ctx, again)), ann, "said twice, it stays as it was")
	same(t, revision(), once, "which is no change")
	same(t, add(l.AddBypass(ctx, bob)), bob, "another person's is another one")
	same(t, list(l.Bypasses(ctx, "sha256:a")), []ledger.Bypass{ann, bob}, "all of a plan, the oldest first")
	same(t, len(list(l.Bypasses(ctx, "sha256:b"))), 0, "another plan has none")
	same(t, list(l.BypassesOf(ctx, "freeze-1")), []ledger.Bypass{ann, bob}, "all of a freeze, the oldest first")
	same(t, len(list(l.BypassesOf(ctx, "freeze-2"))), 0, "another freeze has none")
	for reason, b := range map[string]ledger.Bypass{
		"a bypass by nobody":     {Plan: "sha256:a", Of: "freeze-1", Reason: "x"},
		"a bypass for no reason": {Plan: "sha256:a", Of: "freeze-1", By: "ann"},
		"a bypass of nothing":    {Plan: "sha256:a", By: "ann", Reason: "x"},
		"a bypass for no plan":   {Of: "freeze-1", By: "ann", Reason: "x"},
	} {
		_, err := l.AddBypass(ctx, b)
		wantCode(t, err, fault.Invalid, reason)
	}
	for i := range ledger.MaxBypasses {
		_, err := l.AddBypass(ctx, ledger.Bypass{Plan: "sha256:c", Of: fmt.Sprintf("freeze-%d", i), By: "ann", Reason: "x"})
		ok(t, err)
	}
	_, err := l.AddBypass(ctx, ledger.Bypass{Plan: "sha256:c", Of: "freeze-x", By: "ann", Reason: "x"})
	wantCode(t, err, fault.Refused, "a plan has no more than so many")

	testUnder(t, ann)
}

// testUnder says which freezes a run is under, whatever store they come from.
func testUnder(t *testing.T, by ledger.Bypass) {
	freezes := []api.Freeze{
		{Name: "freeze-1", Origin: api.FreezePerson},
		{Name: "freeze-2", Origin: api.FreezePerson},
		{Name: "freeze-3", Origin: api.FreezeRollback, Run: "agent-3"},
	}
	rolled := by
	rolled.Of = "freeze-3"
	all := []string{"freeze-1", "freeze-2", "freeze-3"}
	for reason, c := range map[string]struct {
		run  ledger.Run
		want []string
	}{
		"a run of the plan passes what was bypassed, but not what was rolled back": {
			ledger.Run{Name: "agent-9", Plan: by.Plan, By: "eve"}, all[1:]},
		"who starts it cannot let it pass":  {ledger.Run{Name: "agent-9", Plan: by.Plan, By: "Ann (unverified)"}, all},
		"another plan passes nothing":       {ledger.Run{Name: "agent-9", Plan: "sha256:z", By: "eve"}, all},
		"what goes back is held by nothing": {ledger.Run{Name: "agent-9", Plan: "sha256:z", By: "eve", Back: "agent-8"}, nil},
		"its own rollback does not hold it": {ledger.Run{Name: "agent-3", Plan: "sha256:z", By: "eve"}, all[:2]},
	} {
		var names []string
		for _, f := range c.run.Under(freezes, []ledger.Bypass{by, rolled}) {
			names = append(names, f.Name)
		}
		same(t, names, c.want, reason)
	}
}

func testKept(t *testing.T, l ledger.Ledger) {
	const most = 10
	ctx := t.Context()
	list, one := must[[]ledger.Kept](t), must[ledger.Kept](t)
	same(t, len(list(l.ListKept(ctx, ""))), 0, "nothing is kept at first")
	keep := func(kind, name, document, by string, when time.Time) ledger.Kept {
		return ledger.Kept{Kind: kind, Name: name, Document: []byte(document), By: by, At: when.UTC()}
	}
	first := one(l.Keep(ctx, keep("Fuse", "b", `{"a": 1}`, "ann", at(1)), most))
	if first.Revision == 0 || first.By != "ann" || string(first.Document) != `{"a": 1}` || !first.At.Equal(at(1)) {
		t.Errorf("kept as %+v", first)
	}
	same(t, one(l.Keep(ctx, keep("Fuse", "b", `{"a": 1}`, "bob", at(2)), most)), first, "an equal document changes nothing")
	second := one(l.Keep(ctx, keep("Fuse", "a", `{}`, "ann", at(3)), most))
	other := one(l.Keep(ctx, keep("Other", "b", `{}`, "ann", at(3)), most))
	same(t, list(l.ListKept(ctx, "Fuse")), []ledger.Kept{second, first}, "one kind, by name")
	same(t, list(l.ListKept(ctx, "")), []ledger.Kept{second, first, other}, "all kinds")
	changed := one(l.Keep(ctx, keep("Fuse", "b", `{"a": 2}`, "bob", at(4)), most))
	if changed.Revision <= other.Revision || changed.By != "bob" {
		t.Errorf("changed to %+v, after revision %d", changed, other.Revision)
	}
	same(t, list(l.ListKept(ctx, "Fuse")), []ledger.Kept{second, changed}, "what was changed is there once")
	same(t, one(l.Drop(ctx, "Fuse", "b")), changed, "what is dropped is returned")
	_, err := l.Drop(ctx, "Fuse", "b")
	wantCode(t, err, fault.NotFound, "it is gone")
	back := one(l.Keep(ctx, keep("Fuse", "b", `{"a": 2}`, "bob", at(5)), most))
	if back.Revision <= changed.Revision {
		t.Errorf("revision %d is given twice", back.Revision)
	}
	for reason, k := range map[string]ledger.Kept{
		"no kind": keep("", "x", `{}`, "ann", at(6)), "no name": keep("Fuse", "", `{}`, "ann", at(6)),
		"by nobody": keep("Fuse", "x", `{}`, "", at(6)), "no JSON": keep("Fuse", "x", `{`, "ann", at(6)),
		"too large": keep("Fuse", "x", `"`+string(make([]byte, ledger.MaxKeptDocument))+`"`, "ann", at(6)),
	} {
		_, err := l.Keep(ctx, k, most)
		wantCode(t, err, fault.Invalid, reason)
	}
	for i := range most {
		one(l.Keep(ctx, keep("Many", fmt.Sprint(i), `{}`, "ann", at(7)), most))
	}
	_, err = l.Keep(ctx, keep("Many", "x", `{}`, "ann", at(7)), most)
	wantCode(t, err, fault.Refused, "one too many")
	one(l.Keep(ctx, keep("Many", "1", `{"a": 2}`, "ann", at(8)), most))
}

func testAmend(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	list := must[[]ledger.Kept](t)
	most := func(kind string) int { return map[string]int{"Few": 2, "Group": 10}[kind] }
	document := func(kind, name, document string) ledger.Kept {
		return ledger.Kept{Kind: kind, Name: name, Document: []byte(document), By: "ann", At: at(1).UTC()}
	}
	entry := func(object string) ledger.Entry {
		return ledger.Entry{At: at(1), Who: "ann", Command: "apply", Object: object, Outcome: "created"}
	}
	audited := func(object string) int {
		all, err := l.ListEntries(ctx, object, 0)
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	first := list(l.Amend(ctx, ledger.Amendment{
		Keep: []ledger.Kept{document("Group", "b", "{}"), document("Group", "a", "{}")}, Most: most,
		Entries: []ledger.Entry{entry("group/b"), entry("group/a")},
	}))
	if len(first) != 2 || first[0].Name != "b" || first[1].Name != "a" || first[0].Revision == first[1].Revision {
		t.Errorf("kept %+v, want both in their order", first)
	}
	seen := list(l.ListKept(ctx, ""))
	same(t, audited("group/a")+audited("group/b"), 2, "it is in the audit")
	second := list(l.Amend(ctx, ledger.Amendment{
		Seen: seen, Drop: []ledger.Kept{first[0]}, Keep: []ledger.Kept{document("Group", "a", "{}"), document("Group", "c", "{}")}, Most: most,
	}))
	same(t, second[0], first[1], "an equal document stays as it is")
	now := list(l.ListKept(ctx, ""))
	same(t, len(now), 2, "one is gone, and one is new")
	for reason, c := range map[string]struct {
		of   ledger.Amendment
		code fault.Code
	}{
		"somebody has changed it since":    {ledger.Amendment{Seen: seen}, fault.Conflict},
		"somebody has added to it since":   {ledger.Amendment{Seen: now[:1]}, fault.Conflict},
		"somebody has deleted of it since": {ledger.Amendment{Seen: append(now[:2:2], first[0])}, fault.Conflict},
		"no JSON":                          {ledger.Amendment{Seen: now, Keep: []ledger.Kept{document("Group", "d", "{")}}, fault.Invalid},
		"an entry by nobody":               {ledger.Amendment{Seen: now, Entries: []ledger.Entry{{At: at(1), Command: "apply"}}}, fault.Invalid},
		"more than may be": {ledger.Amendment{
			Seen: now, Keep: []ledger.Kept{document("Few", "a", "{}"), document("Few", "b", "{}"), document("Few", "c", "{}")},
		}, fault.Refused},
	} {
		c.of.Most = most
		c.of.Drop = append(c.of.Drop, now[0])
		c.of.Keep = append([]ledger.Kept{document("Group", "lost", "{}")}, c.of.Keep...)
		c.of.Entries = append([]ledger.Entry{entry("group/lost")}, c.of.Entries...)
		_, err := l.Amend(ctx, c.of)
		wantCode(t, err, c.code, reason)
		same(t, list(l.ListKept(ctx, "")), now, reason+": nothing is changed")
		same(t, audited("group/lost"), 0, reason+": nothing is in the audit")
	}
}
