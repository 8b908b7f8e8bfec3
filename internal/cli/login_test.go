package cli_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/authn"
	"sluice.dev/sluice/internal/authn/issuertest"
	"sluice.dev/sluice/internal/cli"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger/sqlite/sqlitetest"
	answering "sluice.dev/sluice/internal/server"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

// person is somebody at a prompt, with a home of his own.
type person struct {
	t    *testing.T
	env  map[string]string
	told func(line string) // hears what is printed for people while a command runs
}

// hearing is a stream that somebody reads as it is written.
type hearing struct {
	bytes.Buffer
	told func(string)
}

func (h *hearing) Write(data []byte) (int, error) {
	if h.told != nil {
		h.told(string(data))
	}
	return h.Buffer.Write(data)
}

func (p *person) types(words ...string) (out, errs string, code int) {
	p.t.Helper()
	var stdout bytes.Buffer
	stderr := hearing{told: p.told}
	f := &cli.Factory{
		In: strings.NewReader(""), Out: &stdout, Err: &stderr, LookEvery: time.Millisecond, Width: func() (int, int) { return 80, 30 },
		Clock: clock.RealClock{}, Who: func() string { return "ann" }, Getenv: func(name string) string { return p.env[name] },
	}
	code = cli.Execute(p.t.Context(), words, f)
	return stdout.String(), stderr.String(), code
}

// TestALoginAtAPrivateIssuer logs in where no system's certificates verify the issuer's own, and renews the login.
func TestALoginAtAPrivateIssuer(t *testing.T) {
	people, ca := issuertest.NewPrivate(t, time.Now)
	l := sqlitetest.New(t)
	tokens, err := authn.New(authn.Config{Issuers: []authn.Issuer{
		{Name: "corp", URL: people.URL, Audiences: []string{"sluice"}, Kind: authn.People, ClientID: "sluice", CAFile: ca},
	}}, l, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	none, err := access.Compile(nil)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(answering.Handler(answering.Options{
		Guard: answering.Known{Tokens: tokens}, Grants: func() *access.Grants { return none },
		Logins: []wire.LoginAt{{Issuer: "corp", URL: people.URL, ClientID: "sluice"}}, Clock: clock.RealClock{},
		Logger: slog.New(slog.DiscardHandler),
	}))
	defer web.Close()
	home := t.TempDir()
	p := &person{t: t, env: map[string]string{"HOME": home, "SLUICE_SERVER": web.URL}}
	typed := regexp.MustCompile(`open (\S+) and type (\S+)`)
	p.told = func(line string) {
		if m := typed.FindStringSubmatch(line); m != nil {
			go people.Grant(m[2], map[string]any{"email": "ann@example.org", "email_verified": true})
		}
	}
	if out, errs, code := p.types("login"); code == 0 || !strings.Contains(errs, "certificate") {
		t.Errorf("nobody knows the issuer's certificate: %s%s (%d)", out, errs, code)
	}
	if out, errs, code := p.types("login", "--ca-file", filepath.Join(home, "none.pem")); code != 2 {
		t.Errorf("certificates that are not there: %s%s (%d)", out, errs, code)
	}
	dir := t.TempDir()
	t.Chdir(filepath.Dir(ca))
	if out, errs, code := p.types("login", "--ca-file", filepath.Base(ca)); code != 0 {
		t.Fatalf("with the certificates of the issuer: %s%s (%d)", out, errs, code)
	}
	t.Chdir(dir) // from another folder
	file := filepath.Join(home, ".config", "sluice", "logins", url.QueryEscape(web.URL)+".json")
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	over := regexp.MustCompile(`"expires":"[^"]*"`).ReplaceAll(kept, []byte(`"expires":"2026-01-01T00:00:00Z"`))
	if err := os.WriteFile(file, over, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, errs, code := p.types("whoami"); code != 0 || !strings.Contains(out, "corp:ann@example.org") {
		t.Errorf("once it has to be renewed: %s%s (%d)", out, errs, code)
	}
	if renewed, err := os.ReadFile(file); err != nil || bytes.Equal(renewed, over) {
		t.Errorf("it was not renewed: %v", err)
	}
}

// TestAPersonLogsInAndGivesATokenToAService goes the way of a first day: a context, a login in a browser, what one may do, a token.
func TestAPersonLogsInAndGivesATokenToAService(t *testing.T) {
	people := issuertest.New(t, time.Now)
	l := sqlitetest.New(t)
	e := engine.New(l, func(context.Context) (*engine.Server, error) { return nil, context.DeadlineExceeded }, engine.Options{Proven: true})
	trusted := authn.Config{Issuers: []authn.Issuer{
		{Name: "corp", URL: people.URL, Audiences: []string{"sluice"}, Kind: authn.People, ClientID: "sluice"},
	}}
	tokens, err := authn.New(trusted, l, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	bindings := &answering.Bindings{Kept: e.Kept, Clock: clock.RealClock{}, Logger: slog.New(slog.DiscardHandler), Ours: []*pipelines.Binding{
		{
			Metadata: pipelines.Metadata{Name: "ann"}, Spec: pipelines.BindingSpec{
				Subjects: `subject == "corp:ann@example.org"`, Scope: pipelines.BindingScope{All: true},
				Roles: []pipelines.BindingRole{pipelines.RoleAdmin, pipelines.RolePlanner},
			},
		},
		{
			Metadata: pipelines.Metadata{Name: "nightly"}, Spec: pipelines.BindingSpec{
				Subjects: `subject == "service:nightly"`, Scope: pipelines.BindingScope{All: true}, Roles: []pipelines.BindingRole{pipelines.RoleViewer},
			},
		},
	}}
	if _, err := bindings.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(answering.Handler(answering.Options{
		Engine: e, Guard: answering.Known{Tokens: tokens}, Grants: func() *access.Grants { return bindings.Grants() }, Tokens: l, Requests: l,
		Logins: []wire.LoginAt{{Issuer: "corp", URL: people.URL, ClientID: "sluice"}}, Installation: "test", Version: "test",
		Clock: clock.RealClock{}, Logger: slog.New(slog.DiscardHandler),
	}))
	defer web.Close()
	home := t.TempDir()
	p := &person{t: t, env: map[string]string{"HOME": home}}
	want := func(code int, says string, words ...string) string {
		t.Helper()
		out, errs, got := p.types(words...)
		if got != code || !strings.Contains(out+errs, says) {
			t.Fatalf("sluice %s: exit code %d, want %d, and %q in\n%s%s", strings.Join(words, " "), got, code, says, out, errs)
		}
		return out
	}

	want(0, "there is no context", "context")
	want(0, "context prod asks "+web.URL, "context", "set", "prod", "--server", web.URL)
	want(0, "prod", "context")
	want(2, "http is for this machine alone", "context", "set", "bad", "--server", "http://sluice.example.org")
	want(1, "unauthorized: the token is not accepted", "whoami")

	typed := regexp.MustCompile(`open (\S+) and type (\S+)`)
	p.told = func(line string) {
		if m := typed.FindStringSubmatch(line); m != nil {
			go people.Grant(m[2], map[string]any{"email": "ann@example.org", "email_verified": true})
		}
	}
	want(0, "corp:ann@example.org is logged in at "+web.URL, "login")
	p.told = nil
	want(0, "corp:ann@example.org, as "+web.URL+" has it", "whoami")
	for _, dir := range []string{"config.yaml", filepath.Join("logins")} {
		info, err := os.Stat(filepath.Join(home, ".config", "sluice", dir))
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %v, %v: others may read it", dir, info.Mode(), err)
		}
	}
	want(0, "yes: corp:ann@example.org may plan, by ann", "can-i", "plan", "node-agent")
	want(3, "no: corp:ann@example.org may not operate", "can-i", "run", "node-agent")
	want(2, "there is no command or right \"fly\"", "can-i", "fly")

	want(2, "cannot make token", "token", "create", "Not A Name")
	secret := strings.TrimSpace(want(0, "sluice_", "token", "create", "nightly", "--for", "30d"))
	list := want(0, "nightly", "token", "list")
	if strings.Contains(list, secret) {
		t.Error("the list has the token")
	}
	id := strings.Fields(strings.Split(list, "\n")[1])[0]

	service := &person{t: t, env: map[string]string{"SLUICE_SERVER": web.URL, "SLUICE_TOKEN": secret}}
	if out, errs, code := service.types("whoami"); code != 0 || !strings.Contains(out, "service:nightly") {
		t.Errorf("the service is %s%s (%d)", out, errs, code)
	}
	if _, errs, code := service.types("token", "list"); code != 3 || !strings.Contains(errs, "not allowed") {
		t.Errorf("the service lists tokens: %s (%d)", errs, code)
	}
	want(0, "token "+id+" of service:nightly is revoked", "token", "revoke", id, "--reason", "its service is gone")
	if _, errs, code := service.types("whoami"); code != 1 || !strings.Contains(errs, "unauthorized: the token is not accepted") {
		t.Errorf("a token that is revoked: %s (%d)", errs, code)
	}
	audit := want(0, "token create", "get", "audit")
	if !strings.Contains(audit, "its service is gone") || strings.Contains(audit, "unverified") || strings.Contains(audit, secret) {
		t.Errorf("the audit has\n%s", audit)
	}

	// Whoever goes past the server says so.
	if _, errs, _ := p.types("whoami", "--no-server"); !strings.Contains(errs, "asking the ledger itself, and no server") {
		t.Errorf("past the server it says %q", errs)
	}
}
