// Package forgetest is a simulation of the two forges, for tests: a real HTTP server that plays the parts of the REST APIs of GitHub and
// GitLab that package forge asks, as they are documented. It is neither of them: it has no git, no teams and no rules of branches, and
// commits are what a test says they are.
package forgetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"sluice.dev/sluice/internal/forge"
)

// Forge is one that listens on this machine. It is safe for concurrent use.
type Forge struct {
	URL  string // without the part that is the API's
	Kind forge.Kind

	t      testing.TB
	now    func() time.Time
	server *httptest.Server

	mu       sync.Mutex
	ids      int64
	accounts map[string]*account // by login
	tokens   map[string]string   // logins
	projects map[string]*Repository
	faults   []*Fault
	asked    []string
}

type account struct {
	id    int64
	login string
	bot   bool
}

// New starts a forge with nothing in it. It ends with the test. What it says of times it takes from now.
func New(t testing.TB, kind forge.Kind, now func() time.Time) *Forge {
	t.Helper()
	f := &Forge{
		Kind: kind, t: t, now: now, accounts: map[string]*account{}, tokens: map[string]string{}, projects: map[string]*Repository{},
	}
	mux := http.NewServeMux()
	if kind == forge.GitHub {
		f.github(mux)
	} else {
		f.gitlab(mux)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("the simulation of %s does not know %s %s", kind, r.Method, r.URL.Path)
		f.refuse(w, http.StatusNotFound, "404 Not Found")
	})
	f.server = httptest.NewServer(f.faulty(mux))
	f.URL = f.server.URL
	t.Cleanup(func() {
		f.server.CloseClientConnections() // some may hang
		f.server.Close()
	})
	return f
}

// API is where its REST API begins.
func (f *Forge) API() string {
	if f.Kind == forge.GitLab {
		return f.URL + "/api/v4"
	}
	return f.URL
}

// Place is a repository of it.
func (f *Forge) Place(repository string) forge.Place {
	return forge.Place{Kind: f.Kind, API: f.API(), Repository: repository, Within: 5 * time.Second}
}

// Person makes an account, and returns its id. One that is there is returned as it is.
func (f *Forge) Person(login string) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.account(login).id
}

// Bot makes an account of a program.
func (f *Forge) Bot(login string) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	a := f.account(login)
	a.bot = true
	return a.id
}

func (f *Forge) account(login string) *account {
	if f.accounts[login] == nil {
		f.accounts[login] = &account{id: f.id(), login: login}
	}
	return f.accounts[login]
}

func (f *Forge) id() int64 {
	f.ids++
	return 100 + f.ids
}

// Token returns a new token of an account, which is made where it is not there.
func (f *Forge) Token(login string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	token := "token-" + rand.Text()[:12]
	f.tokens[token] = f.account(login).login
	return token
}

// Revoke has a token be worth nothing.
func (f *Forge) Revoke(token string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.tokens, token)
}

// Client asks about a repository as an account.
func (f *Forge) Client(repository, login string) *forge.Repository {
	f.t.Helper()
	token := f.Token(login)
	c, err := forge.New(f.Place(repository), func(context.Context) (string, error) { return token, nil })
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

// Asked lists what was asked, as "METHOD path".
func (f *Forge) Asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.asked...)
}

// Commit is the id of a commit that a test calls by a name.
func Commit(name string) string { return fmt.Sprintf("%040x", []byte(name))[:40] }
