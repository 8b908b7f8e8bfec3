package ledgertest

import (
	"fmt"
	"testing"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

func testAudit(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	for i := range 3 {
		ok(t, l.AddEntry(ctx, ledger.Entry{
			At: at(i), Who: "ann", Command: "pause", Object: fmt.Sprintf("agent-%d", i%2), Scope: "cn-1", Reason: "dinner", Outcome: "accepted",
		}))
	}
	list := must[[]ledger.Entry](t)(l.ListEntries(ctx, "", 2))
	same(t, len(list), 2, "bounded")
	if list[0].ID <= list[1].ID || !list[0].At.Equal(at(2)) {
		t.Errorf("newest first: got %v", list)
	}
	same(t, len(must[[]ledger.Entry](t)(l.ListEntries(ctx, "agent-0", 0))), 2, "one object's entries")
	wantCode(t, l.AddEntry(ctx, ledger.Entry{Command: "pause"}), fault.Invalid, "an entry by nobody")
}
