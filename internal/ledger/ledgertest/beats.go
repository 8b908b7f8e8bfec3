package ledgertest

import (
	"fmt"
	"testing"
	"time"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

func testBeats(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	list := func() []ledger.Beat { t.Helper(); return must[[]ledger.Beat](t)(l.ListBeats(ctx)) }
	wantCode(t, l.SaveBeat(ctx, ledger.Beat{Seen: at(1)}), fault.Invalid, "a beat of nobody")
	old := ledger.Beat{Worker: "7@far", Build: "1.2", Queues: []string{"q-site-eu"}, Since: at(1), Seen: at(1)}
	ok(t, l.SaveBeat(ctx, old))
	b := ledger.Beat{Worker: "4@near", Queues: []string{"q", "q-checks"}, Since: at(2), Seen: at(2)}
	ok(t, l.SaveBeat(ctx, b))
	b.Seen, b.Ended = at(3), at(3)
	ok(t, l.SaveBeat(ctx, b))
	same(t, list(), []ledger.Beat{b, old}, "the last beat of each, who was seen last first")
	there := []bool{b.There(at(3)), old.There(at(1)), old.There(at(1).Add(ledger.BeatsWithin)), old.There(at(1).Add(-time.Hour))}
	same(t, there, []bool{false, true, false, false},
		"who ended is gone at once, who went silent a while later, and nobody is seen in the future")

	b.Seen, b.Ended = at(1).Add(ledger.BeatsKept+time.Second), time.Time{}
	ok(t, l.SaveBeat(ctx, b))
	same(t, list(), []ledger.Beat{b}, "who was not seen for long is forgotten")
	for i := range ledger.MaxWorkers {
		ok(t, l.SaveBeat(ctx, ledger.Beat{Worker: fmt.Sprint(i), Since: b.Seen, Seen: b.Seen.Add(time.Second)}))
	}
	all := list()
	same(t, len(all), ledger.MaxWorkers, "there is a most")
	same(t, all[len(all)-1].Worker != b.Worker, true, "the oldest goes")
}
