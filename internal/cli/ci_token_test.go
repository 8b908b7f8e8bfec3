package cli_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
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

// TestAServerKnowsAJobByItsToken has a job of GitHub plan at a server that believes GitHub's issuer, played by a real one, and gives rights
// to the jobs of one repository.
func TestAServerKnowsAJobByItsToken(t *testing.T) {
	s := changing(t, "Moving")
	l := s.server.open()
	defer l.Close()
	issuer := issuertest.New(t, time.Now)
	web := httptest.NewUnstartedServer(nil)
	tokens, err := authn.New(authn.Config{Issuers: []authn.Issuer{
		{Name: "github", URL: issuer.URL, Audiences: []string{"https://sluice.example.org"}, Kind: authn.Jobs},
	}}, l, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	grants, err := access.Compile([]*pipelines.Binding{{
		Metadata: pipelines.Metadata{Name: "infra"}, Spec: pipelines.BindingSpec{
			Subjects: `issuer == "github" && claims.repository_id == "42"`, Scope: pipelines.BindingScope{All: true},
			Roles: []pipelines.BindingRole{pipelines.RoleOperator},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	temporal := func(context.Context) (*engine.Server, error) {
		return &engine.Server{Temporal: s.server, Address: "fake:7233", Namespace: "default"}, nil
	}
	web.Config.Handler = answering.Handler(answering.Options{
		Engine: engine.New(l, temporal, engine.Options{Proven: true}), Guard: answering.Known{Tokens: tokens}, Requests: l,
		Grants: func() *access.Grants { return grants }, Installation: "test", Version: "test", Clock: clock.RealClock{}, Logger: slog.New(slog.DiscardHandler),
	})
	web.Start()
	defer web.Close()

	repository := "42"
	given := map[string]bool{}
	gitHub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := issuer.Token(map[string]any{
			"aud": r.URL.Query().Get("audience"), "sub": "repo:shop/infra:ref:refs/heads/main", "repository_id": repository, "exp": time.Now().Add(5 * time.Minute).Unix(),
		})
		given[token] = true
		_ = json.NewEncoder(w).Encode(map[string]string{"value": token})
	}))
	defer gitHub.Close()

	for _, c := range []struct {
		reason, repository, audience string
		code                         int
		says                         string
	}{
		{"a job of the repository", "42", "https://sluice.example.org", 0, "agent 1.0.0: plan "},
		{"one of another repository", "43", "https://sluice.example.org", 3, "not allowed"},
		{"a token for somebody else", "42", "https://vault.example.org", 1, "unauthorized: the token is not accepted"},
	} {
		repository = c.repository
		summary, _ := s.onGitHub()
		s.env["ACTIONS_ID_TOKEN_REQUEST_URL"], s.env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = gitHub.URL+"?api-version=2.0", "bearer"
		if served {
			t.Skip("the sessions of this test have a token")
		}
		out, errs, code := s.runs([]string{"ci", "plan", s.files, "--server", web.URL, "--audience", c.audience})
		if code != c.code || !strings.Contains(out+errs, c.says) {
			t.Errorf("%s: exit code %d, want %d and %q:\n%s%s", c.reason, code, c.code, c.says, out, errs)
		}
		if len(given) == 0 {
			t.Fatalf("%s: nobody has asked for a token", c.reason)
		}
		for token := range given {
			if all := out + errs + read(t, summary); strings.Contains(all, token) || strings.Contains(all, token[len(token)-40:]) {
				t.Errorf("%s: the token is printed", c.reason)
			}
		}
	}
}
