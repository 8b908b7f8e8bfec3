package server_test

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDescription keeps openapi.json, from which others make clients, what a server says of itself.
func TestDescription(t *testing.T) {
	b := newBench(t)
	said := b.ask(b.handler(), "GET", "/openapi.json", "", b.token("ann")).Body.Bytes()
	var now bytes.Buffer
	if err := json.Indent(&now, said, "", "  "); err != nil {
		t.Fatal(err)
	}
	now.WriteByte('\n')
	if *update {
		if err := os.WriteFile("openapi.json", now.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	was, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(was, now.Bytes()) {
		t.Error("openapi.json is behind: go test ./internal/server -run TestDescription -update writes it")
	}
	var d struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID, Summary string
			Tags                 []string
			Parameters           []struct{ Name string }
			Responses            map[string]struct{ Headers map[string]any }
		}
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(said, &d); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(d.OpenAPI, "3.1") || len(d.Paths) < 30 || len(d.Components.Schemas) < 30 {
		t.Errorf("OpenAPI %s, %d paths, %d schemas", d.OpenAPI, len(d.Paths), len(d.Components.Schemas))
	}
	ids := map[string]bool{}
	for path, methods := range d.Paths {
		for method, of := range methods {
			if of.OperationID == "" || ids[of.OperationID] || of.Summary == "" || len(of.Tags) != 1 {
				t.Errorf("%s %s has no name of its own, summary or tag: %+v", method, path, of)
			}
			ids[of.OperationID] = true
			pages := false
			for _, p := range of.Parameters {
				pages = pages || p.Name == "limit" || p.Name == "continue"
			}
			if _, linked := of.Responses["200"].Headers["Link"]; linked != pages {
				t.Errorf("%s %s takes pages: %v, and links to the next: %v", method, path, pages, linked)
			}
		}
	}
	readable := regexp.MustCompile(`^[A-Z][A-Za-z0-9]{1,60}$`)
	for name := range d.Components.Schemas {
		if !readable.MatchString(name) {
			t.Errorf("schema %q is no name that one can read", name)
		}
	}
	for _, ref := range regexp.MustCompile(`"#/components/schemas/([^"]+)"`).FindAllSubmatch(said, -1) {
		if d.Components.Schemas[string(ref[1])] == nil {
			t.Errorf("there is no schema %s", ref[1])
		}
	}
}
