package remote_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// book is a server that has entries of the audit, the newest first, and answers with pages of them.
type book struct {
	entries int
	short   int // pages have at most so many, whatever was asked for; 0: as many
	hidden  bool
	asked   []string // queries
	link    func(continues string) []string
}

func linked(continues string) []string {
	return []string{`</api/v1/audit?continue=` + continues + `>; rel="next"`}
}

// ServeHTTP implements http.Handler.
func (b *book) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.asked = append(b.asked, r.URL.RawQuery)
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	from, _ := strconv.Atoi(r.URL.Query().Get("continue"))
	if b.short > 0 {
		limit = min(limit, b.short)
	}
	to := min(from+limit, b.entries)
	list := []ledger.Entry{}
	for id := from; id < to && !b.hidden; id++ {
		list = append(list, ledger.Entry{ID: int64(id)})
	}
	if to < b.entries {
		w.Header()["Link"] = b.link(strconv.Itoa(to))
	}
	_ = json.NewEncoder(w).Encode(list)
}

func (b *book) read(t *testing.T, limit int) ([]ledger.Entry, error) {
	t.Helper()
	if b.link == nil {
		b.link = linked
	}
	return asking(t, b.ServeHTTP).Audit(t.Context(), "", limit)
}

func TestListsGoOnByThemselves(t *testing.T) {
	for _, c := range []struct {
		reason  string
		book    book
		limit   int
		entries int
		asked   []string
	}{
		{"one page is enough", book{entries: 90}, 50, 50, []string{"limit=50"}},
		{"there is less than was asked for", book{entries: 3}, 50, 3, []string{"limit=50"}},
		{"there is nothing", book{}, 50, 0, []string{"limit=50"}},
		{"more than a page has", book{entries: 5000}, 2500, 2500,
			[]string{"limit=1000", "continue=1000&limit=1000", "continue=2000&limit=500"}},
		{"all there is", book{entries: 1001}, 0, 1001, []string{"limit=1000", "continue=1000&limit=1000"}},
		{"pages are short, as the caller may not see all", book{entries: 9, short: 2}, 5, 5,
			[]string{"limit=5", "continue=2&limit=3", "continue=4&limit=1"}},
		{"pages are empty", book{entries: 3, short: 1, hidden: true}, 5, 0, []string{"limit=5", "continue=1&limit=5", "continue=2&limit=5"}},
	} {
		got, err := c.book.read(t, c.limit)
		if err != nil || len(got) != c.entries || !slices.Equal(c.book.asked, c.asked) {
			t.Errorf("%s: %d entries, %v; asked for %q", c.reason, len(got), err, c.book.asked)
		}
		for i := range got {
			if got[i].ID != int64(i) {
				t.Errorf("%s: entry %d is %d", c.reason, i, got[i].ID)
			}
		}
	}
}

func TestListsEnd(t *testing.T) {
	for _, limit := range []int{0, 10_000, 20_000, -1} {
		endless := &book{entries: 1_000_000}
		if got, err := endless.read(t, limit); err != nil || len(got) != 10_000 || len(endless.asked) != 10 {
			t.Errorf("with a limit of %d: %d entries, %v, on %d pages", limit, len(got), err, len(endless.asked))
		}
	}
	empty := &book{entries: 1_000_000, short: 1, hidden: true}
	if _, err := empty.read(t, 5); fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "1000 pages") || len(empty.asked) != 1000 {
		t.Errorf("pages that are all empty: %v after %d", err, len(empty.asked))
	}
	circle := &book{entries: 1_000_000, short: 1, link: func(string) []string { return linked("7") }}
	if _, err := circle.read(t, 50); fault.CodeOf(err) != fault.Internal || len(circle.asked) != 2 {
		t.Errorf("a page that follows itself: %v after %q", err, circle.asked)
	}
}

// TestALinkLeadsNowhereElse has links lead to other places: the client asks its own server, in the list that it reads.
func TestALinkLeadsNowhereElse(t *testing.T) {
	var led atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		led.Store(true)
		fmt.Fprint(w, `[]`)
	}))
	t.Cleanup(other.Close)
	for _, c := range []struct {
		reason string
		link   func(string) []string
		goesOn bool
	}{
		{"to another server", func(on string) []string {
			return []string{"<" + other.URL + "/api/v1/audit?continue=" + on + `>; rel="next"`}
		}, true},
		{"to another list, with another query", func(on string) []string {
			return []string{"</api/v1/runs?limit=1&object=x&continue=" + on + ">; rel=next"}
		}, true},
		{"after others, in one header", func(on string) []string {
			return []string{`</x.css>; rel=preload; as=style, <?continue=9>; rel="prev", <?continue=` + on + `>; title="a; b"; REL="last Next"`}
		}, true},
		{"after others, in several", func(on string) []string { return append([]string{"</y>; rel=preload"}, linked(on)...) }, true},
		{"with no relation", func(on string) []string { return []string{"<?continue=" + on + ">"} }, false},
		{"with another relation", func(on string) []string { return []string{"<?continue=" + on + `>; rel="nextish"; title="next"`} }, false},
		{"that goes on with nothing", func(string) []string { return []string{`</api/v1/audit>; rel="next"`} }, false},
		{"that are none", func(string) []string { return []string{"<", "next", `<?continue=4; rel="next"`, `<:%>; rel="next"`} }, false},
	} {
		b := book{entries: 4, short: 2, link: c.link}
		got, err := b.read(t, 9)
		want := []string{"limit=9"}
		if c.goesOn {
			want = append(want, "continue=2&limit=7")
		}
		if err != nil || len(got) != 2*len(want) || !slices.Equal(b.asked, want) || led.Load() {
			t.Errorf("%s: %d entries, %v; asked for %q, led elsewhere: %v", c.reason, len(got), err, b.asked, led.Load())
		}
	}
}

// TestAPageThatIsRefused has a server give up in the middle of a list: what was read before is not taken for all.
func TestAPageThatIsRefused(t *testing.T) {
	e := asking(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("continue") != "" {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"code":"refused","detail":"no longer"}`)
			return
		}
		w.Header()["Link"] = linked("1")
		fmt.Fprint(w, `[{"name":"agent-1"}]`)
	})
	if all, err := e.Runs(t.Context(), engine.RunsQuery{Component: "agent"}); fault.CodeOf(err) != fault.Refused || all != nil {
		t.Errorf("%+v, %v", all, err)
	}
}

// There may be more states of probes than things of any other list.
func TestStatesOfProbesAreAllListed(t *testing.T) {
	const there = 10_500
	got, err := asking(t, func(w http.ResponseWriter, r *http.Request) {
		limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
		from, _ := strconv.Atoi(r.URL.Query().Get("continue"))
		to := min(from+limit, there)
		if to < there {
			w.Header()["Link"] = linked(strconv.Itoa(to))
		}
		_ = json.NewEncoder(w).Encode(make([]engine.KnownProbe, to-from))
	}).Probes(t.Context(), engine.ProbesQuery{})
	if err != nil || len(got) != there {
		t.Errorf("%d of %d are listed, %v", len(got), there, err)
	}
}
