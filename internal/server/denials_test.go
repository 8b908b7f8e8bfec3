package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/pipelines"
)

// denied are the denials that the audit has.
func (b *bench) denied() (all []ledger.Entry) {
	b.t.Helper()
	entries, err := b.ledger.ListEntries(b.t.Context(), "", 0)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Outcome, ledger.Refused+"no binding") {
			all = append(all, e)
		}
	}
	return all
}

func TestDenialsAreInTheAudit(t *testing.T) {
	b, body := newKeyed(t)
	b.bind("viewer", everything, pipelines.RoleViewer)
	h := b.handler()
	run := runOf(t, b.under(h, "k", "/runs", body))
	for _, c := range []struct {
		reason, method, path, body string
		command, named             string // "" where it is in no audit
	}{
		{"a run is told something", "POST", "/runs/" + run + "/commands/abort", `{}`, "abort", run},
		{"a run that there is not", "POST", "/runs/agent-9/commands/pause", `{}`, "pause", "agent-9"},
		{"a plan is started", "POST", "/runs", body, "start-run", strings.Split(body, `"`)[3]},
		{"a plan is made", "POST", "/plans", `{"component":"agent",` + b.sent() + `}`, "make-plan", "agent"},
		{"everything is frozen", "POST", "/freezes", `{"inFlight":"Finish"}`, "freeze", ""},
		{"a document is deleted", "DELETE", "/documents/Policy/strict", "", "delete-document", "strict"},
		{"documents are applied", "POST", "/documents", "{" + newFiles(t, policyDocument) + "}", "apply", ""},
		{"something is read that he may read", "GET", "/runs/" + run, "", "", ""},
		{"documents are linted", "POST", "/lint", "{" + b.sent() + "}", "", ""},
	} {
		before := len(b.denied())
		w := b.ask(h, c.method, c.path, c.body, b.token("viewer"))
		now := b.denied()
		if c.command == "" {
			if len(now) != before || w.Code != http.StatusOK {
				t.Errorf("%s: %d, and the audit has %+v", c.reason, w.Code, now[0])
			}
			continue
		}
		if w.Code != http.StatusForbidden || len(now) != before+1 {
			t.Errorf("%s: %d %s; the audit has %d denials, and had %d", c.reason, w.Code, w.Body, len(now), before)
			continue
		}
		if e := now[0]; e.Who != "corp::viewer" || e.Command != c.command || e.Scope != c.named || !strings.Contains(e.Outcome, "denied") {
			t.Errorf("%s: the audit has %+v", c.reason, e)
		} else if e.Object != "" {
			t.Errorf("%s: it is listed about %s, and pushes what was done to it out of sight", c.reason, e.Object)
		}
	}
}

const policyDocument = `apiVersion: sluice.dev/v1alpha1
kind: Policy
metadata: {name: strict}
spec: {firstBatch: 1}
`

// TestNobodyFillsTheAudit asks 50 times a second for what is denied, in several ways.
func TestNobodyFillsTheAudit(t *testing.T) {
	const every = 20 * time.Millisecond
	for name, c := range map[string]struct {
		asked    int
		run, who func(i int) string
		most     int // entries
	}{
		"one thing, for 200 seconds": {
			10_000, func(int) string { return "agent-1" }, func(int) string { return "eve" }, 4,
		},
		"another thing each time, for 40 seconds": {
			2_000, func(i int) string { return fmt.Sprint("agent-", i+1) }, func(int) string { return "eve" }, 20 + 4,
		},
		"by another one each time, for 40 seconds": {
			2_000, func(i int) string { return fmt.Sprint("agent-", i+1) }, func(i int) string { return fmt.Sprint("eve-", i) }, 100 + 8,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			h := b.handler()
			b.issuer.Rotate(jose.ES256)
			token, of := "", ""
			for i := range c.asked {
				b.clock.Step(every)
				if who := c.who(i); who != of {
					token, of = b.token(who), who
				}
				if w := b.ask(h, "POST", "/runs/"+c.run(i)+"/commands/abort", `{}`, token); w.Code != http.StatusForbidden {
					t.Fatalf("asked for the %dth time: %d %s", i, w.Code, w.Body)
				}
			}
			if has := len(b.denied()); has > c.most || has < c.most-1 {
				t.Errorf("the audit has %d denials, want %d", has, c.most)
			}
		})
	}
}
