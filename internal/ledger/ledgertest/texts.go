package ledgertest

import (
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

func testTexts(t *testing.T, l ledger.Ledger) {
	for reason, name := range map[string]string{
		"a zero byte ends a text for some databases": "agent\x00",
		"what is not UTF-8 some cannot order":        "agent\xff",
	} {
		_, err := l.NewRun(t.Context(), ledger.Run{Plan: "p", Subject: api.Component(name)})
		wantCode(t, err, fault.Invalid, "a name is refused: "+reason)
		_, err = l.Run(t.Context(), name)
		wantCode(t, err, fault.Invalid, "there can be none of that name: "+reason)
		_, err = l.ListEntries(t.Context(), name, 0)
		wantCode(t, err, fault.Invalid, "nor a list of what is about it: "+reason)
		// What a receiver answers, or a pod logs, is not ours to choose: what happened is written down all the same.
		ok(t, l.AddEntry(t.Context(), ledger.Entry{At: at(0), Who: "ann", Command: "notify", Object: "agent-1", Outcome: "they say " + name}))
	}
	list := must[[]ledger.Entry](t)(l.ListEntries(t.Context(), "", 0))
	got := []string{}
	for _, e := range list {
		got = append(got, e.Outcome)
	}
	same(t, got, []string{"they say agent\uFFFD", "they say agent\uFFFD"}, "what no database keeps is replaced in what people read")
	long := "ä\t\n\"'$1 ? \\ %s 東京 \u2028"
	ok(t, l.AddEntry(t.Context(), ledger.Entry{At: at(0), Who: "ann", Command: "run", Object: "odd", Reason: long}))
	list = must[[]ledger.Entry](t)(l.ListEntries(t.Context(), "odd", 0))
	if len(list) != 1 || list[0].Reason != long {
		t.Errorf("every other text is kept as it is: got %+v", list)
	}
}
