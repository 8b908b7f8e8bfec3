// Package gittest has repositories for tests, and a server that serves them: git itself, over HTTP on this machine.
package gittest

import (
	"errors"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Server serves repositories over HTTP.
type Server struct {
	URL string

	t        testing.TB
	dir      string
	mu       sync.Mutex
	user     string
	password string
	before   func(http.ResponseWriter, *http.Request) bool
	asked    int
}

// Start starts a server without repositories, which asks for no password. It ends with the test, which is skipped where git is not there.
func Start(t testing.TB) *Server {
	t.Helper()
	program, err := exec.LookPath("git")
	var backend string
	if err == nil {
		var out []byte
		if out, err = exec.Command(program, "--exec-path").Output(); err == nil {
			backend = filepath.Join(strings.TrimSpace(string(out)), "git-http-backend")
			_, err = os.Stat(backend)
		}
	}
	if err != nil {
		if os.Getenv("SLUICE_REQUIRE") == "all" {
			t.Fatalf("git has to be there: %v", err)
		}
		t.Skipf("needs git: %v", err)
	}
	s := &Server{t: t, dir: t.TempDir()}
	serve := &cgi.Handler{Path: backend, Env: []string{
		"GIT_PROJECT_ROOT=" + s.dir, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1", "HOME=" + s.dir, "PATH=" + os.Getenv("PATH"),
	}}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		user, password, before := s.user, s.password, s.before
		s.asked++
		s.mu.Unlock()
		if before != nil && before(w, r) {
			return
		}
		u, p, _ := r.BasicAuth()
		if user != "" && (u != user || p != password) {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		serve.ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)
	s.URL = web.URL
	return s
}

// Asks has the server ask for a user and a password from now on; "" for none.
func (s *Server) Asks(user, password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.user, s.password = user, password
}

// Before has a function see each request first, and answer it where it returns true.
func (s *Server) Before(f func(http.ResponseWriter, *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = f
}

// Asked is how many requests there were.
func (s *Server) Asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// Repository makes a repository with the branch main, which has no commit yet.
func (s *Server) Repository(name string) *Repository {
	s.t.Helper()
	r := &Repository{Bare: filepath.Join(s.dir, name), URL: s.URL + "/" + name, t: s.t, work: filepath.Join(s.t.TempDir(), "work")}
	r.git("", "init", "--quiet", "--bare", "--initial-branch=main", r.Bare)
	r.git("", "init", "--quiet", "--initial-branch=main", r.work)
	r.Git("config", "user.name", "Ann")
	r.Git("config", "user.email", "ann@example.com")
	r.Git("config", "commit.gpgSign", "false")
	r.Git("remote", "add", "origin", r.Bare)
	return r
}

// Repository is one that is served, and a working copy of it.
type Repository struct {
	Bare string // its folder on disk
	URL  string

	t    testing.TB
	work string
	at   time.Time
}

// Folder is the folder of the working copy.
func (r *Repository) Folder() string { return r.work }

// Git runs git in the working copy, and returns what it prints.
func (r *Repository) Git(args ...string) string {
	r.t.Helper()
	return r.git(r.work, args...)
}

// Pipe is Git that reads a text.
func (r *Repository) Pipe(text string, args ...string) string {
	r.t.Helper()
	return r.run(r.work, text, args...)
}

func (r *Repository) git(dir string, args ...string) string {
	r.t.Helper()
	return r.run(dir, "", args...)
}

func (r *Repository) run(dir, text string, args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(text)
	if r.at.IsZero() {
		r.at = time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	}
	r.at = r.at.Add(time.Second)
	stamp := r.at.Format(time.RFC3339)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_DATE="+stamp, "GIT_COMMITTER_DATE="+stamp)
	out, err := cmd.Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			out = append(out, failed.Stderr...)
		}
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// Commit writes files, each a path and what is in it, commits all that has changed and pushes the branch that is checked out. It returns
// the commit.
func (r *Repository) Commit(message string, files map[string]string) string {
	r.t.Helper()
	for name, text := range files {
		path := filepath.Join(r.work, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			r.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			r.t.Fatal(err)
		}
	}
	return r.Save(message)
}

// Save commits all that has changed in the working copy, and pushes the branch that is checked out. It returns the commit.
func (r *Repository) Save(message string) string {
	r.t.Helper()
	r.Git("add", "--all")
	r.Git("commit", "--quiet", "--allow-empty", "--message", message)
	r.Git("push", "--quiet", "--force", "origin", "HEAD")
	return r.Git("rev-parse", "HEAD")
}

// Partial has the server send parts of histories and trees, as forges do.
func (r *Repository) Partial() {
	r.t.Helper()
	r.git(r.Bare, "config", "uploadpack.allowFilter", "true")
	r.git(r.Bare, "config", "uploadpack.allowAnySHA1InWant", "true")
}
