package server_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/server"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/catalog"
)

// TestTheLanguageThatAServerSpeaks: its catalog and its schemas, since plans are made by what it has, and not by what a command line has.
func TestTheLanguageThatAServerSpeaks(t *testing.T) {
	b := newBench(t)
	library := catalog.Sources()[:2]
	want, err := catalog.Entries(library)
	if err != nil {
		t.Fatal(err)
	}
	h := b.handler(func(o *server.Options) {
		o.Engine = engine.New(b.ledger, nil, engine.Options{Library: library, Proven: true})
	})
	var entries []catalog.Entry
	w := b.ask(h, "GET", "/catalog", "", b.token("nobody"))
	if err := json.Unmarshal(w.Body.Bytes(), &entries); err != nil || len(entries) != 2 || entries[0].Text != string(library[0].Data) {
		t.Errorf("%d: %v %s", w.Code, err, w.Body)
	}
	if diff := cmp.Diff(decoded(t, encoded(t, want)), decoded(t, encoded(t, entries))); diff != "" {
		t.Error(diff)
	}
	schemas := pipelines.Schemas()
	schemas[wire.AllKinds] = pipelines.Schema()
	for kind, want := range schemas {
		w := b.ask(h, "GET", "/schemas/"+kind, "", b.token("nobody"))
		if diff := cmp.Diff(decoded(t, want), decoded(t, w.Body.Bytes())); diff != "" {
			t.Errorf("%s: %d %s", kind, w.Code, diff)
		}
	}
	if w := b.ask(h, "GET", "/schemas/pipeline", "", b.token("nobody")); w.Code != http.StatusNotFound {
		t.Errorf("a kind that there is not: %d %s", w.Code, w.Body)
	}
}

func encoded(t *testing.T, value any) []byte {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Error(err)
	}
	return data
}

func decoded(t *testing.T, data []byte) (value any) {
	t.Helper()
	if err := json.Unmarshal(data, &value); err != nil {
		t.Error(err)
	}
	return value
}

// TestAStrangerHearsNothingOfTheFleet: whoever has no right has his files checked, and learns nothing of what the installation has.
func TestAStrangerHearsNothingOfTheFleet(t *testing.T) {
	b := newBench(t)
	b.callers()
	b.bind("planner", pipelines.BindingScope{Environments: []string{"staging"}}, pipelines.RolePlanner)
	own := newFiles(t, "apiVersion: sluice.dev/v1alpha1\nkind: ClusterGroup\nmetadata: {name: secret-group}\nspec: {environment: production}\n")
	h := b.handler()
	if w := b.ask(h, "POST", "/documents", "{"+own+"}", b.token("admin")); w.Code != http.StatusOK {
		t.Fatal(w.Code, w.Body)
	}
	asks := newFiles(t, "apiVersion: sluice.dev/v1alpha1\nkind: Cluster\nmetadata: {name: c1}\nspec: {group: secret-groop}\n")
	for who, hears := range map[string]bool{"nobody": false, "viewer": false, "planner": true, "elsewhere": true} {
		w := b.ask(h, "POST", "/lint", "{"+asks+"}", b.token(who))
		if w.Code != http.StatusOK || strings.Contains(w.Body.String(), "secret-group?") != hears {
			t.Errorf("%s hears %d %s", who, w.Code, w.Body)
		}
	}
	for _, who := range []string{"nobody", "viewer", "operator"} {
		if w := b.ask(h, "POST", "/documents", "{"+asks+"}", b.token(who)); w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s hears %d %s", who, w.Code, w.Body)
		}
	}
}
