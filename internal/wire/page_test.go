package wire_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/wire"
)

var (
	seventh = ledger.Mark{Number: 7}
	planned = ledger.Mark{At: time.Date(2026, 11, 22, 12, 0, 0, 1, time.UTC), Hash: "sha256:" + strings.Repeat("f", 64)}
)

func on(t testing.TB, list string, at ledger.Mark) string {
	t.Helper()
	text, err := wire.Continue(list, at)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func encoded(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func TestPagesAreBounded(t *testing.T) {
	for asked, want := range map[int]int{0: 100, -1: 100, 1: 1, 1000: 1000, 1001: 1000} {
		got, err := wire.Paged{Limit: asked}.Of(wire.ListRuns.ID)
		if err != nil || got != (ledger.Page{Limit: want}) {
			t.Errorf("a page of %d: %+v, %v", asked, got, err)
		}
	}
}

func TestWhereAPageGoesOn(t *testing.T) {
	runs, plans := wire.ListRuns.ID, wire.ListPlans.ID
	for _, c := range []struct {
		reason, list, text string
		want               ledger.Mark // zero: it is none
	}{
		{"of a list with numbers", runs, on(t, runs, seventh), seventh},
		{"of plans, which have none", plans, on(t, plans, planned), planned},
		{"of another list", wire.ListAudit.ID, on(t, runs, seventh), ledger.Mark{}},
		{"of plans in a list with numbers", runs, on(t, runs, planned), ledger.Mark{}},
		{"a number in plans", plans, on(t, plans, seventh), ledger.Mark{}},
		{"the beginning, which no link leads to", runs, on(t, runs, ledger.Mark{}), ledger.Mark{}},
		{"before the beginning", runs, on(t, runs, ledger.Mark{Number: -1}), ledger.Mark{}},
		{"no base64", runs, "next!", ledger.Mark{}},
		{"padded", runs, on(t, runs, seventh) + "=", ledger.Mark{}},
		{"no JSON", runs, encoded("7"), ledger.Mark{}},
		{"with something after it", runs, encoded(`{"list":"list-runs","n":7}7`), ledger.Mark{}},
		{"with a field of somebody's", runs, encoded(`{"list":"list-runs","n":7,"who":"me"}`), ledger.Mark{}},
		{"spelled otherwise", runs, encoded(`{"n":7,"list":"list-runs"}`), ledger.Mark{}},
		{"of no list", runs, encoded(`{"n":7}`), ledger.Mark{}},
		{"too long", plans, on(t, plans, ledger.Mark{Hash: strings.Repeat("f", 1000)}), ledger.Mark{}},
	} {
		got, err := wire.Paged{Limit: 5, Continue: c.text}.Of(c.list)
		if c.want == (ledger.Mark{}) {
			if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "take what the Link of a page of that list says") || len(err.Error()) > 200 {
				t.Errorf("%s: %+v, %v", c.reason, got, err)
			}
			continue
		}
		if diff := cmp.Diff(ledger.Page{After: c.want, Limit: 5}, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", c.reason, err, diff)
		}
	}
}

// FuzzContinue has pages go on with texts of all sorts: either that is refused, or it is what is said of the place that it means.
func FuzzContinue(f *testing.F) {
	for _, list := range []string{wire.ListRuns.ID, wire.ListPlans.ID, ""} {
		for _, text := range []string{on(f, list, seventh), on(f, list, planned), encoded(`{"list":"` + list + `"}`), "", "A", "\x00"} {
			f.Add(list, text)
		}
	}
	f.Fuzz(func(t *testing.T, list, text string) {
		got, err := wire.Paged{Continue: text}.Of(list)
		switch {
		case err != nil:
			if fault.CodeOf(err) != fault.Invalid || got.After != (ledger.Mark{}) {
				t.Errorf("%q of %q: %+v, %v", text, list, got, err)
			}
		case text == "":
			if got.After != (ledger.Mark{}) {
				t.Errorf("the first page begins at %+v", got.After)
			}
		case on(t, list, got.After) != text:
			t.Errorf("%q of %q is a place that is written %q", text, list, on(t, list, got.After))
		case got.After.Number < 0 || got.After.Number == 0 && got.After.Hash == "":
			t.Errorf("%q of %q leads to %+v", text, list, got.After)
		}
	})
}
