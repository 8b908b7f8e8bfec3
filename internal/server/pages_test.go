package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/wire"
)

// reader reads lists as any client of HTTP does: it knows no more than where a list begins.
type reader struct {
	t      *testing.T
	server *httptest.Server
	token  string
}

var next = regexp.MustCompile(`^<([^>]+)>; rel="next"$`)

// get asks for one page, and returns the address of the one after; "" where there is none.
func (r *reader) get(address string, into any) (status int, following string) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+r.token)
	response, err := r.server.Client().Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		r.t.Fatalf("%s: %v", address, err)
	}
	link := response.Header.Get("Link")
	if link == "" {
		return response.StatusCode, ""
	}
	found := next.FindStringSubmatch(link)
	if found == nil {
		r.t.Fatalf("%s: the link is %s", address, link)
	}
	to, err := request.URL.Parse(found[1])
	if err != nil {
		r.t.Fatal(err)
	}
	return response.StatusCode, to.String()
}

// walk reads a list to its end, and does something after its first page.
func walk[T any](r *reader, path string, size int, name func(T) string, between func()) (all []string, pages int) {
	r.t.Helper()
	for at := r.server.URL + wire.Prefix + path; at != ""; pages++ {
		var some []T
		status, following := r.get(at, &some)
		if status != http.StatusOK || len(some) > size || some == nil {
			r.t.Fatalf("%s: %d with %d things", at, status, len(some))
		}
		for _, s := range some {
			all = append(all, name(s))
		}
		if pages == 0 {
			between()
		}
		at = following
	}
	return all, pages
}

// manyRuns has runs of three components be there, with an entry of the audit each, and returns what makes one more.
func manyRuns(b *bench) (add func()) {
	hash, made := b.plan(), 0
	add = func() {
		b.t.Helper()
		component := []string{"agent", "other", "agent", "proxy"}[made%4]
		run, err := b.ledger.NewRun(b.t.Context(), ledger.Run{Plan: hash, Subject: api.Component(component), Phase: "Moving", Started: noon, By: "corp::ann"})
		if err != nil {
			b.t.Fatal(err)
		}
		run.Phase, run.Ended = string(api.PhaseSucceeded), noon
		if made%3 == 0 {
			run.Phase = string(api.PhaseFailed)
		}
		made++
		if err := b.ledger.SaveRun(b.t.Context(), run); err != nil {
			b.t.Fatal(err)
		}
		if err := b.ledger.AddEntry(b.t.Context(), ledger.Entry{At: noon, Who: "corp::ann", Command: "run", Object: run.Name, Outcome: "accepted"}); err != nil {
			b.t.Fatal(err)
		}
	}
	for range 16 {
		add()
	}
	return add
}

// TestListsAreWalkedByLinks reads lists page by page, while they grow: everybody gets exactly what he may see of what was there.
func TestListsAreWalkedByLinks(t *testing.T) {
	b := newBench(t)
	b.callers()
	add := manyRuns(b)
	web := httptest.NewServer(b.handler())
	t.Cleanup(web.Close)
	names := func(wanted func(ledger.Run) bool) (all []string) {
		runs, err := b.ledger.ListRuns(t.Context(), api.Subject{}, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range runs {
			if wanted(r) {
				all = append(all, r.Name)
			}
		}
		return all
	}
	of := func(components ...string) func(ledger.Run) bool {
		return func(r ledger.Run) bool { return slices.Contains(components, r.Subject.String()) }
	}
	runOf := func(r ledger.Run) string { return r.Name }
	for _, c := range []struct {
		who, query string
		sees       func(ledger.Run) bool
	}{
		{"viewer", "", of("agent", "other", "proxy")},
		{"viewer", "component=other&", of("other")},
		{"viewer", "phase=Failed&", func(r ledger.Run) bool { return r.Phase == "Failed" }},
		{"viewer", "after=2026-11-22T13:00:00Z&", of()},
		{"agent", "", of("agent")},
		{"agent", "phase=Failed,Aborted&", func(r ledger.Run) bool { return r.Phase == "Failed" && r.Subject.String() == "agent" }},
		{"agent", "component=other&", of()},
		{"production", "", of("agent")},
		{"elsewhere", "", of("other")},
		{"staging", "", of("agent", "other", "proxy")},
		{"nobody", "", of()},
	} {
		for _, size := range []int{1, 2, 7} {
			b.clock.Step(2 * time.Second) // nobody asks too often
			want := names(c.sees)
			r := &reader{t, web, b.token(c.who)}
			got, pages := walk(r, fmt.Sprintf("/runs?%slimit=%d", c.query, size), size, runOf, add)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("runs for %s with %q in pages of %d (-want +got):\n%s", c.who, c.query, size, diff)
			}
			if pages < len(want)/size || pages > len(want)/size+2 {
				t.Errorf("runs for %s with %q are %d, on %d pages of %d", c.who, c.query, len(want), pages, size)
			}
		}
	}

	objects := func() (all []string) {
		entries, err := b.ledger.ListEntries(t.Context(), "", 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			all = append(all, fmt.Sprint(e.ID))
		}
		return all
	}
	entry := func(e ledger.Entry) string { return fmt.Sprint(e.ID) }
	for _, size := range []int{2, 7} {
		want := objects()
		got, _ := walk(&reader{t, web, b.token("viewer")}, fmt.Sprintf("/audit?limit=%d", size), size, entry, add)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("audit in pages of %d (-want +got):\n%s", size, diff)
		}
	}
	for range 3 {
		if err := b.ledger.AddEntry(t.Context(), ledger.Entry{At: noon, Who: "corp::ann", Command: "pause", Object: "agent-1"}); err != nil {
			t.Fatal(err)
		}
	}
	got, pages := walk(&reader{t, web, b.token("agent")}, "/audit?object=agent-1&limit=3", 3,
		func(e ledger.Entry) string { return e.Object }, func() {})
	if len(got) != 4 || pages != 2 || len(slices.Compact(got)) != 1 {
		t.Errorf("the audit of one run is %v, on %d pages", got, pages)
	}
}

// TestPlansAndFreezesAreWalkedByLinks reads lists of which somebody may see only what is about one component.
func TestPlansAndFreezesAreWalkedByLinks(t *testing.T) {
	b := newBench(t)
	b.callers()
	const version = "---\napiVersion: sluice.dev/v1alpha1\nkind: Component\nmetadata: {name: %s}\n" +
		"spec: {version: 1.0.%d, pipeline: careful, template: {manifests: agent}}\n"
	text := documents
	for n := range 4 {
		for _, component := range []string{"agent", "other"} {
			text += fmt.Sprintf(version, component, n+1)
		}
	}
	b.write("all.yaml", text)
	all, of := map[string][]string{}, map[string]map[string][]string{"plans": {}, "freezes?lifted=true": {}}
	note := func(list, component, name string) {
		all[list] = append(all[list], name)
		of[list][component] = append(of[list][component], name)
	}
	for n := range 4 {
		for _, component := range []string{"agent", "other"} {
			p, err := b.engine(b.ledger).Plan(t.Context(), engine.PlanRequest{
				Files: engine.Files{Paths: []string{b.files}, Origin: &api.Origin{}}, Component: component, Version: fmt.Sprintf("1.0.%d", n+1), By: "ann",
			})
			if err != nil {
				t.Fatal(err)
			}
			note("plans", component, p.Hash)
			freeze, err := b.ledger.AddFreeze(t.Context(), api.Freeze{
				Scope: api.FreezeScope{Component: api.Component(component)}, Origin: api.FreezePerson, InFlight: api.Finish, By: "ann", Reason: "x", Since: noon,
			})
			if err != nil {
				t.Fatal(err)
			}
			note("freezes?lifted=true", component, freeze.Name)
		}
	}
	web := httptest.NewServer(b.handler())
	t.Cleanup(web.Close)
	for list, components := range of {
		for who, want := range map[string][]string{"viewer": all[list], "agent": components["agent"], "elsewhere": components["other"], "nobody": nil} {
			for _, size := range []int{1, 3, 100} {
				path := fmt.Sprintf("/%s&limit=%d", list, size)
				if !strings.Contains(path, "?") {
					path = strings.Replace(path, "&", "?", 1)
				}
				name := func(found struct{ Name, Hash string }) string { return found.Name + found.Hash }
				got, _ := walk(&reader{t, web, b.token(who)}, path, size, name, func() {})
				if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(got))); diff != "" {
					t.Errorf("%s for %s in pages of %d (-want +got):\n%s", list, who, size, diff)
				}
			}
		}
	}
}

// TestALinkGivesNoRight has people go on where somebody else's page has ended, and with texts that no page has said.
func TestALinkGivesNoRight(t *testing.T) {
	b := newBench(t)
	b.callers()
	manyRuns(b)
	web := httptest.NewServer(b.handler())
	t.Cleanup(web.Close)
	as := func(who string) *reader { return &reader{t, web, b.token(who)} }
	var runs []ledger.Run
	_, runsGoOn := as("viewer").get(web.URL+wire.Prefix+"/runs?limit=4", &runs)
	var entries []ledger.Entry
	_, auditGoesOn := as("viewer").get(web.URL+wire.Prefix+"/audit?limit=4", &entries)
	if len(runs) != 4 || len(entries) != 4 || runsGoOn == "" || auditGoesOn == "" {
		t.Fatalf("%d runs and %d entries, and more at %q and %q", len(runs), len(entries), runsGoOn, auditGoesOn)
	}
	var seen []ledger.Run
	if status, _ := as("elsewhere").get(runsGoOn, &seen); status != http.StatusOK || len(seen) != 3 {
		t.Errorf("whoever sees one component goes on with %d %+v", status, seen)
	}
	for _, r := range seen {
		if r.Subject.String() != "other" {
			t.Errorf("he sees %s", r.Name)
		}
	}
	var p wire.Problem
	if status, _ := as("elsewhere").get(auditGoesOn, &p); status != http.StatusForbidden {
		t.Errorf("whoever may not read the audit goes on in it with %d %+v", status, p)
	}
	for reason, address := range map[string]string{
		"in another list":                strings.Replace(runsGoOn, "/runs?", "/audit?", 1),
		"with what no page has said":     web.URL + wire.Prefix + "/runs?continue=agent-1",
		"with more than any page says":   web.URL + wire.Prefix + "/runs?continue=" + strings.Repeat("A", 501),
		"with pages that are too large":  web.URL + wire.Prefix + "/runs?limit=1001",
		"with a page that cannot be had": web.URL + wire.Prefix + "/runs?limit=-1",
	} {
		p = wire.Problem{}
		if status, following := as("viewer").get(address, &p); status/100 != 4 || p.Code != fault.Invalid || following != "" {
			t.Errorf("%s: %d %+v", reason, status, p)
		}
	}
}
