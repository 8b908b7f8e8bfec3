package ci_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/ci"
	"sluice.dev/sluice/internal/fault"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// jwt is a token that counts until then, as far as its holder can tell.
func jwt(until time.Time) string {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	return part(`{"alg":"RS256"}`) + "." + part(fmt.Sprintf(`{"exp":%d}`, until.Unix())) + ".c2VjcmV0"
}

// gitHub is what answers a job that asks for its token.
func gitHub(t *testing.T, answer http.HandlerFunc) environment {
	t.Helper()
	web := httptest.NewServer(answer)
	t.Cleanup(web.Close)
	e := with(onGitHub(), "ACTIONS_ID_TOKEN_REQUEST_URL", web.URL+"/token?api-version=2.0")
	return with(e, "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "bearer-secret")
}

func TestGitHubVouchesForAJob(t *testing.T) {
	asked, now := 0, noon
	e := gitHub(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.Method != http.MethodGet || r.Header.Get("Authorization") != "bearer bearer-secret" || r.URL.Query().Get("api-version") != "2.0" ||
			r.URL.Query().Get("audience") != "https://sluice.example.org/?a=b&c" {
			t.Errorf("%s %s as %q", r.Method, r.URL, r.Header.Get("Authorization"))
		}
		fmt.Fprintf(w, `{"count": 1, "value": %q}`, jwt(now.Add(5*time.Minute)))
	})
	tokens := &ci.Tokens{Job: ci.Of(e.get), Now: func() time.Time { return now }}
	for _, c := range []struct {
		after time.Duration
		asked int
	}{{0, 1}, {3 * time.Minute, 1}, {4*time.Minute + time.Second, 2}, {5 * time.Minute, 2}, {time.Hour, 3}} {
		now = noon.Add(c.after)
		text, err := tokens.Token(t.Context(), "https://sluice.example.org/?a=b&c")
		if err != nil || text == "" || asked != c.asked {
			t.Errorf("after %s: %v, asked %d times, want %d", c.after, err, asked, c.asked)
		}
	}
}

func TestATokenThatIsNone(t *testing.T) {
	answers := func(status int, body string) func(*testing.T) environment {
		return func(t *testing.T) environment {
			return gitHub(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(status)
				fmt.Fprint(w, body)
			})
		}
	}
	fork := func(t *testing.T) environment {
		path := filepath.Join(t.TempDir(), "event.json")
		if err := os.WriteFile(path, []byte(`{"pull_request": {"head": {"repo": {"id": 2}}}, "repository": {"id": 1}}`), 0o600); err != nil {
			t.Fatal(err)
		}
		return with(onGitHub(), "GITHUB_EVENT_PATH", path)
	}
	of := func(e environment) func(*testing.T) environment { return func(*testing.T) environment { return e } }
	for _, c := range []struct {
		reason string
		env    func(*testing.T) environment
		says   string
	}{
		{"a job that has not asked for one", of(onGitHub()), "give it `permissions: {id-token: write"},
		{"a fork's pull request", fork, "the change comes from a fork, and GitHub gives none"},
		{"GitHub says no", answers(403, "bearer-secret"), "GitHub answers HTTP 403"},
		{"GitHub says nothing", answers(200, "{}"), "GitHub's answer has none"},
		{"GitHub says something else", answers(200, `{"value": "sesame"}`), "it is no JSON Web Token"},
		{"a token without an end", answers(200, `{"value": "e30.e30.e30"}`), "it does not say how long it counts"},
		{"a token that is over", answers(200, fmt.Sprintf(`{"value": %q}`, jwt(noon))), "the token of the job is over since"},
		{"whoever leads elsewhere", func(t *testing.T) environment {
			return gitHub(t, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "https://evil.example", http.StatusFound)
			})
		}, "GitHub answers HTTP 302"},
		{"an address in the clear", of(with(with(onGitHub(), "ACTIONS_ID_TOKEN_REQUEST_URL", "http://github.com/x"), "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "bearer-secret")), "is no https:// address"},
		{"a job of GitLab that has not asked for one", of(onGitLab()), "give it `id_tokens: {SLUICE_ID_TOKEN: {aud: https://a}}`"},
		{"a fork of a project", of(with(onGitLab(), "CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "6")), "the change comes from a fork"},
		{"a token of GitLab that is over", of(with(onGitLab(), "SLUICE_ID_TOKEN", jwt(noon.Add(-time.Second)))), "give the job a longer timeout"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			e := c.env(t)
			text, err := (&ci.Tokens{Job: ci.Of(e.get), Now: func() time.Time { return noon }}).Token(t.Context(), "https://a")
			if fault.CodeOf(err) != fault.Unauthorized || text != "" || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("%v, want %q", err, c.says)
			}
			for _, secret := range []string{"bearer-secret", "sesame", "127.0.0.1", "c2VjcmV0"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("it says %s: %v", secret, err)
				}
			}
		})
	}
}

func TestGitLabVouchesForAJob(t *testing.T) {
	want := jwt(noon.Add(time.Hour))
	e := with(with(onGitLab(), "SLUICE_ID_TOKEN", want+"\n"), "OTHER", "e30.e30.e30")
	tokens := &ci.Tokens{Job: ci.Of(e.get), Now: func() time.Time { return noon }}
	if got, err := tokens.Token(t.Context(), "https://a"); err != nil || got != want {
		t.Errorf("%v", err)
	}
	tokens = &ci.Tokens{Job: ci.Of(e.get), Now: func() time.Time { return noon }, Variable: "OTHER"}
	if _, err := tokens.Token(t.Context(), "https://a"); err == nil {
		t.Error("another variable is not read")
	}
}

func TestNobodyVouchesForAPersonsMachine(t *testing.T) {
	if text, err := (&ci.Tokens{Job: ci.Of(environment{}.get), Now: time.Now}).Token(t.Context(), "https://a"); text != "" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}

func TestGitHubIsAskedAgain(t *testing.T) {
	asked := 0
	e := gitHub(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked < 3 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		fmt.Fprintf(w, `{"value": %q}`, jwt(noon.Add(time.Hour)))
	})
	if _, err := (&ci.Tokens{Job: ci.Of(e.get), Now: func() time.Time { return noon }}).Token(t.Context(), "https://a"); err != nil || asked != 3 {
		t.Errorf("%v after %d times", err, asked)
	}
}
