package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/authn"
	"sluice.dev/sluice/internal/authn/issuertest"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/server"
	"sluice.dev/sluice/pipelines"
)

// TestABypassTakesTwoPeople has one make a plan by one server, and another, or the same under another name, let it pass a freeze by
// another server.
func TestABypassTakesTwoPeople(t *testing.T) {
	const corpAnn, corpBob, partnerAnn, partnerBob = "corp ann@example.org", "corp bob@example.org", "partner Ann@example.org", "partner bob@example.org"
	for _, c := range []struct {
		reason          string
		plans, letsPass string
		code            int
		says            string
		started         string // who started a run of it, where somebody did
	}{
		{reason: "two people", plans: corpAnn, letsPass: corpBob, code: 200},
		{reason: "two people of two issuers", plans: corpAnn, letsPass: partnerBob, code: 200},
		{reason: "one person", plans: corpAnn, letsPass: corpAnn, code: 403, says: "corp:ann@example.org made the plan"},
		{reason: "one person, by two issuers", plans: corpAnn, letsPass: partnerAnn, code: 403, says: "corp:ann@example.org made the plan"},
		{reason: "one person who has started a run, by two issuers", plans: corpBob, started: corpAnn, letsPass: partnerAnn, code: 403, says: "started the run"},
		{reason: "a third person", plans: corpBob, started: corpAnn, letsPass: "corp eve@example.org", code: 200},
		{reason: "a person, and a job", plans: corpAnn, letsPass: "github repo:acme/infra", code: 403, says: "is none"},
		{reason: "a job, and a person", plans: "github repo:acme/infra", letsPass: corpAnn, code: 200},
		{reason: "a person, and a service", plans: corpAnn, letsPass: "service nightly", code: 403, says: "service:nightly [ci] is none"},
		{reason: "a service, and a person", plans: "service nightly", letsPass: corpAnn, code: 200},
		{reason: "one whom nobody knows for sure, and a person", plans: "", letsPass: corpAnn, code: 403, says: "nobody has proven who mallory (unverified) is"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			b := newTwoPeople(t)
			hash := b.planBy(c.plans)
			of := hash
			if c.started != "" {
				of = runOf(t, b.as(c.started, "/runs", fmt.Sprintf(`{"plan":%q}`, hash)))
			}
			freeze, err := b.ledger.AddFreeze(t.Context(), api.Freeze{
				Origin: api.FreezePerson, InFlight: api.PauseNow, By: "corp:zoe@example.org", Reason: "quiet", Since: noon,
			})
			if err != nil {
				t.Fatal(err)
			}
			w := b.as(c.letsPass, "/bypasses", fmt.Sprintf(`{"of":%q,"for":%q,"reason":"it mends"}`, freeze.Name, of))
			if w.Code != c.code || !strings.Contains(w.Body.String(), c.says) {
				t.Errorf("%d %s, want %d and %q", w.Code, w.Body, c.code, c.says)
			}
			passes, err := b.ledger.Bypasses(t.Context(), hash)
			if err != nil || len(passes) != map[bool]int{true: 1}[c.code == 200] {
				t.Errorf("there are bypasses %v, %v", passes, err)
			}
		})
	}
}

// TestAnApprovalTakesASecondPerson asks for the approval of a run that somebody has started, by the names of several issuers.
func TestAnApprovalTakesASecondPerson(t *testing.T) {
	b := newTwoPeople(t)
	hash := b.planBy("corp bob@example.org")
	run := runOf(t, b.as("corp ann@example.org", "/runs", fmt.Sprintf(`{"plan":%q}`, hash)))
	for _, c := range []struct {
		who    string
		asks   bool // the run is asked
		reason string
	}{
		{"partner Ann@example.org", false, "she has started it, under the name of another issuer"},
		{"corp ann@example.org", true, "she has started it, and the run says so itself"},
		{"corp bob@example.org", true, "another person"},
		{"partner bob@example.org", true, "another person, of another issuer"},
	} {
		w := b.as(c.who, "/runs/"+run+"/commands/approve", fmt.Sprintf(`{"plan":%q}`, hash))
		refused := w.Code == http.StatusForbidden && strings.Contains(w.Body.String(), "may be the same person")
		if refused == c.asks || c.asks && w.Code != http.StatusServiceUnavailable { // no worker plays the run
			t.Errorf("%s: %s: %d %s", c.who, c.reason, w.Code, w.Body)
		}
	}
}

// twoPeople is a bench whose servers trust several issuers.
type twoPeople struct {
	*bench
	issuers map[string]*issuertest.Issuer
	servers []http.Handler
	service string // the token of one
}

func newTwoPeople(t *testing.T) *twoPeople {
	t.Helper()
	b := &twoPeople{bench: newBench(t), issuers: map[string]*issuertest.Issuer{}}
	var trusted authn.Config
	for name, kind := range map[string]authn.IssuerKind{"corp": authn.People, "partner": authn.People, "github": authn.Jobs} {
		b.issuers[name] = issuertest.New(t, b.clock.Now)
		trusted.Issuers = append(trusted.Issuers, authn.Issuer{Name: name, URL: b.issuers[name].URL, Audiences: []string{"sluice"}, Kind: kind})
	}
	all, err := access.Compile([]*pipelines.Binding{{
		Metadata: pipelines.Metadata{Name: "all"},
		Spec:     pipelines.BindingSpec{Subjects: `issuer != "nobody"`, Roles: pipelines.BindingRoles(), Scope: everything},
	}})
	if err != nil {
		t.Fatal(err)
	}
	kept, token, err := authn.NewToken("nightly", "corp:zoe@example.org", noon, noon.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.ledger.PutToken(t.Context(), kept); err != nil {
		t.Fatal(err)
	}
	b.service = token
	for range 2 {
		l := b.open()
		tokens, err := authn.New(trusted, l, b.clock.Now)
		if err != nil {
			t.Fatal(err)
		}
		b.servers = append(b.servers, b.handler(func(o *server.Options) {
			o.Engine, o.Guard, o.Grants, o.Requests = b.engine(l), server.Known{Tokens: tokens}, func() *access.Grants { return all }, l
		}))
	}
	return b
}

// as asks the next server as "ISSUER NAME".
func (b *twoPeople) as(who, path, body string) *httptest.ResponseRecorder {
	b.t.Helper()
	issuer, name, _ := strings.Cut(who, " ")
	token := b.service
	switch issuer {
	case "corp", "partner":
		token = b.issuers[issuer].Token(map[string]any{"sub": "id-" + name, "email": name, "email_verified": true})
	case "github":
		token = b.issuers[issuer].Token(map[string]any{"sub": name})
	}
	return b.ask(b.servers[b.asked%len(b.servers)], "POST", path, body, token)
}

// planBy stores a plan that somebody has made; "" is one who has asked no server.
func (b *twoPeople) planBy(who string) (hash string) {
	b.t.Helper()
	if who == "" {
		l := b.open()
		unproven := engine.New(l, func(context.Context) (*engine.Server, error) { return &engine.Server{Temporal: b.temporal}, nil },
			engine.Options{Clock: b.clock})
		p, err := unproven.Plan(b.t.Context(), engine.PlanRequest{Files: engine.Files{Paths: []string{b.files}}, Component: "agent", By: "mallory"})
		if err != nil {
			b.t.Fatal(err)
		}
		return p.Hash
	}
	w := b.as(who, "/plans", `{"component":"agent",`+b.sent()+`}`)
	var p engine.Planned
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Hash == "" {
		b.t.Fatalf("no plan is made: %d %s", w.Code, w.Body)
	}
	return p.Hash
}
