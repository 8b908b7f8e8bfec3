package authn_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/authn"
	"sluice.dev/sluice/internal/fault"
)

func TestLoad(t *testing.T) {
	issuer := "{name: corp, url: 'https://id.example.com', audiences: [sluice], kind: people}"
	c, err := authn.Load([]byte("issuers:\n- " + issuer + "\nclientCAs: [{name: machines, file: ca.pem}]\nclockSkew: 30s\n"))
	if err != nil || len(c.Issuers) != 1 || c.Issuers[0].Kind != authn.People || c.ClockSkew.Std() != 30*time.Second {
		t.Errorf("%+v, %v", c, err)
	}
	one := func(change ...string) string {
		return "issuers: [" + strings.NewReplacer(change...).Replace(issuer) + "]"
	}
	for reason, tc := range map[string]struct{ text, says string }{
		"a word that it does not know":            {one("kind", "kin"), "unknown field"},
		"a word twice":                            {one("kind: people", "kind: people, kind: jobs"), "already set"},
		"no YAML":                                 {"issuers: [", "cannot read configuration"},
		"an endless one":                          {strings.Repeat("#", 2<<20), "at most"},
		"an address that others can listen on":    {one("https:", "http:"), "has to be https"},
		"one that looks like this machine":        {one("https://id.example.com", "http://localhost.example.com"), "has to be https"},
		"one that has a user":                     {one("https://", "https://me@"), "a user"},
		"one that has a query":                    {one(".com", ".com/?a=b"), "a query"},
		"no address":                              {one("https://id.example.com", "id"), "no address"},
		"no audience":                             {one("[sluice]", "[]"), "audiences"},
		"an empty audience":                       {one("[sluice]", "['']"), "audiences"},
		"a client whose tokens are not taken":     {one("people", "people, clientID: cli"), "among the audiences"},
		"a kind that is none":                     {one("people", "person"), "people or jobs"},
		"a name that would cut others":            {one("corp", "'a:b'"), "its name is"},
		"the name of what Sluice vouches for":     {one("corp", "service"), "taken"},
		"the name of what follows repositories":   {one("corp", "source"), "taken"},
		"a name twice":                            {"issuers: [" + issuer + "," + issuer + "]", "taken"},
		"an issuer of two names for one audience": {"issuers: [" + issuer + "," + strings.Replace(issuer, "corp", "two", 1) + "]", "issuer corp has its address"},
		"a CA with the name of an issuer":         {one() + "\nclientCAs: [{name: corp, file: a}]", "taken"},
		"a CA without a file":                     {"clientCAs: [{name: a}]", "names no file"},
		"clocks that are far apart":               {"clockSkew: 6m", "0s to 5m"},
	} {
		if _, err := authn.Load([]byte(tc.text)); fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v", reason, err)
		}
	}
	for _, good := range []string{
		one("https://id.example.com", "http://127.0.0.1:8080"), one("https://id.example.com", "http://[::1]:8080"), one("https://id.example.com", "http://localhost"),
		"issuers: [" + issuer + "," + strings.NewReplacer("corp", "builds", "[sluice]", "[builds]", "people", "jobs").Replace(issuer) + "]", "",
	} {
		if _, err := authn.Load([]byte(good)); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
}

func TestTheConfigurationOfThePage(t *testing.T) {
	page, err := os.ReadFile("../../docs/access.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(page), "```yaml\nissuers:")
	block, _, _ = strings.Cut(block, "```")
	if c, err := authn.Load([]byte("issuers:" + block)); err != nil || !found || len(c.Issuers) != 2 {
		t.Errorf("docs/access.md shows %+v, %v", c, err)
	}
}

func TestCertificatesOfIssuersAreRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, file + ".not"} {
		if _, err := authn.Client(name); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnIssuerIsAskedWithinBounds(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/endless":
			for range 2 << 10 {
				_, _ = w.Write(make([]byte, 1<<10))
			}
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		case "/away":
			http.Redirect(w, r, "http://issuer.example.com/", http.StatusFound)
		}
	}))
	t.Cleanup(server.Close)
	client, err := authn.Client("")
	if err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{"/round": "leads on and on", "/away": "not https"} {
		if response, err := client.Get(server.URL + path); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, %v", path, response, err)
		}
	}
	response, err := client.Get(server.URL + "/endless")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	read := 0
	for buffer := make([]byte, 64<<10); err == nil; {
		var n int
		n, err = response.Body.Read(buffer)
		read += n
	}
	if read > 1<<20 || !strings.Contains(err.Error(), "too large") {
		t.Errorf("%d bytes were read: %v", read, err)
	}
}
