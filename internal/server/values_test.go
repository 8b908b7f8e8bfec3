package server_test

import (
	"net/http"
	"strings"
	"testing"

	"sluice.dev/sluice/pipelines"
)

// TestManyValues has bodies that are short beside what they would take in memory.
func TestManyValues(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.bind("all", everything, pipelines.BindingRoles()...)
	h, token := b.handler(), b.token("all")
	const many = "more than 50000 values"
	sent := b.sent()
	for _, c := range []struct {
		reason, body, says string
	}{
		{"numbers", `{"paths":[0` + strings.Repeat(",0", 50_000) + `]}`, many},
		{"lists, nested and empty", `{"paths":[` + strings.Repeat("[],", 30_000) + `[]]}`, many},
		{"fields", `{` + strings.Repeat(`"a":0,`, 50_000) + `"a":0}`, many},
		{"after a string that ends in a quote", `{"a":"\"","paths":[0` + strings.Repeat(",0", 50_000) + `]}`, many},
		{"after a string that ends in a backslash", `{"a":"\\","paths":[0` + strings.Repeat(",0", 50_000) + `]}`, many},
		{"a string of commas is one", `{"archive":"` + strings.Repeat(",", 60_000) + `"}`, "validation failed"},
		{"so is one of quotes", `{"archive":"` + strings.Repeat(`\",`, 60_000) + `"}`, "validation failed"},
		{"a string without an end", `{"archive":"` + strings.Repeat(",", 60_000), "unexpected end"},
		{"one that ends in a backslash", `{"archive":"\`, "string escape"},
		{"some values", `{"paths":["all.yaml"` + strings.Repeat(`,"all.yaml"`, 999) + `],` + sent[:strings.Index(sent, `,"paths"`)] + `}`, `"errors"`},
	} {
		w := b.ask(h, http.MethodPost, "/lint", c.body, token)
		if !strings.Contains(w.Body.String(), c.says) || c.says == many && w.Code != http.StatusBadRequest || w.Code >= 500 {
			t.Errorf("%s: %d %.300s", c.reason, w.Code, w.Body)
		}
	}
}
