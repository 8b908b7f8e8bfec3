package cli_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/authn"
	"sluice.dev/sluice/internal/authn/issuertest"
	"sluice.dev/sluice/internal/engine"
	answering "sluice.dev/sluice/internal/server"
	"sluice.dev/sluice/pipelines"
)

// ours is the repository whose jobs may operate, by the number that its forge gave it.
const ours = "42"

// forge vouches for jobs, as GitHub and GitLab do, at a server that believes it.
type forge struct {
	server     string // URL of the server
	tokens     string // URL at which a job asks for its token, as one of GitHub does
	repository string // that jobs are of
	issuer     *issuertest.Issuer

	mu    sync.Mutex
	given []string
}

// token is one for an audience.
func (f *forge) token(audience string) string {
	token := f.issuer.Token(map[string]any{
		"aud": audience, "sub": "repo:shop/infra:ref:refs/heads/main", "repository_id": f.repository, "exp": time.Now().Add(5 * time.Minute).Unix(),
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.given = append(f.given, token)
	return token
}

// trusted starts a server on a session's ledger that knows the jobs of a forge.
func (s *session) trusted(audience string) *forge {
	t := s.t
	t.Helper()
	f := &forge{repository: ours, issuer: issuertest.New(t, time.Now)}
	l := s.server.open()
	tokens, err := authn.New(authn.Config{Issuers: []authn.Issuer{
		{Name: "github", URL: f.issuer.URL, Audiences: []string{audience}, Kind: authn.Jobs},
	}}, l, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	grants, err := access.Compile([]*pipelines.Binding{{
		Metadata: pipelines.Metadata{Name: "infra"}, Spec: pipelines.BindingSpec{
			Subjects: `issuer == "github" && claims.repository_id == "` + ours + `"`, Scope: pipelines.BindingScope{All: true},
			Roles: []pipelines.BindingRole{pipelines.RoleOperator},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	temporal := func(context.Context) (*engine.Server, error) {
		return &engine.Server{Temporal: s.server, Address: "fake:7233", Namespace: "default"}, nil
	}
	web := httptest.NewServer(answering.Handler(answering.Options{
		Engine: engine.New(l, temporal, engine.Options{Proven: true}), Guard: answering.Known{Tokens: tokens}, Requests: l,
		Grants: func() *access.Grants { return grants }, Installation: "test", Version: "test", Clock: clock.RealClock{},
		Logger: slog.New(slog.DiscardHandler), LookEvery: time.Millisecond,
	}))
	asked := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "bearer of the job" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"value": f.token(r.URL.Query().Get("audience"))})
	}))
	t.Cleanup(func() {
		asked.Close()
		web.Close()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	f.server, f.tokens = web.URL, asked.URL+"?api-version=2.0"
	return f
}

// TestAServerKnowsAJobByItsToken has a job of GitHub plan at a server that gives rights to the jobs of one repository.
func TestAServerKnowsAJobByItsToken(t *testing.T) {
	s := changing(t, "Moving")
	f := s.trusted("https://sluice.example.org")
	for _, c := range []struct {
		reason, repository, audience string
		code                         int
		says                         string
	}{
		{"a job of the repository", ours, "https://sluice.example.org", 0, "agent 1.0.0: plan "},
		{"one of another repository", "43", "https://sluice.example.org", 3, "not allowed"},
		{"a token for somebody else", ours, "https://vault.example.org", 1, "unauthorized: the token is not accepted"},
	} {
		f.repository = c.repository
		summary, _ := s.onGitHub()
		s.env["ACTIONS_ID_TOKEN_REQUEST_URL"], s.env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = f.tokens, "of the job"
		out, errs, code := s.runs([]string{"ci", "plan", s.files, "--server", f.server, "--audience", c.audience})
		if code != c.code || !strings.Contains(out+errs, c.says) {
			t.Errorf("%s: exit code %d, want %d and %q:\n%s%s", c.reason, code, c.code, c.says, out, errs)
		}
		f.untold(t, out+errs+read(t, summary))
	}
}

// untold fails the test where a text has one of the tokens that were given.
func (f *forge) untold(t *testing.T, text string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.given) == 0 {
		t.Fatal("nobody has asked for a token")
	}
	for _, token := range f.given {
		if strings.Contains(text, token) || strings.Contains(text, token[len(token)-40:]) {
			t.Error("the token of the job is printed")
		}
	}
}
