package propose_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/propose"
)

// git runs git in a folder.
func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// cloned is a repository with one file and a clone of it, in which nobody has said who commits.
func cloned(t *testing.T) (bare, clone string) {
	t.Helper()
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	t.Setenv("GIT_CONFIG_SYSTEM", os.DevNull)
	t.Setenv("GIT_AUTHOR_DATE", "2026-11-22T12:00:00Z")
	dir := t.TempDir()
	bare, clone = filepath.Join(dir, "bare"), filepath.Join(dir, "clone")
	git(t, dir, "init", "-q", "--bare", "-b", "main", bare)
	git(t, dir, "clone", "-q", bare, clone)
	if err := os.Mkdir(filepath.Join(clone, "a"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(clone, "a", "agent.yaml"), "one\n")
	write(t, filepath.Join(clone, "other"), "other\n")
	git(t, clone, "checkout", "-q", "-b", "main")
	git(t, clone, "add", ".")
	git(t, clone, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "one")
	git(t, clone, "push", "-q", "origin", "main")
	return bare, clone
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestAProposalIsPushedOnce(t *testing.T) {
	bare, clone := cloned(t)
	// What was not committed stays out of the proposal.
	write(t, filepath.Join(clone, "other"), "changed\n")
	git(t, clone, "add", "other")
	r, path, err := propose.Open(t.Context(), filepath.Join(clone, "a", "agent.yaml"), "origin")
	if err != nil || path != "a/agent.yaml" {
		t.Fatalf("%s, %v", path, err)
	}
	p := propose.Proposal{Path: path, Data: []byte("two\n"), Branch: "sluice/agent-2", Message: "Propose agent 2\n"}
	first, err := r.Push(t.Context(), p)
	if err != nil || !first.New {
		t.Fatalf("%+v, %v", first, err)
	}
	// A job that is tried again makes another commit of the same file, at another time.
	t.Setenv("GIT_AUTHOR_DATE", "2026-11-23T12:00:00Z")
	again, err := r.Push(t.Context(), p)
	if err != nil || again.New || again.Commit != first.Commit {
		t.Errorf("again it is %+v, %v", again, err)
	}
	if n := git(t, bare, "rev-list", "--count", "main..sluice/agent-2"); n != "1" {
		t.Errorf("the branch has %s commits", n)
	}
	if changed := git(t, bare, "diff", "--name-only", "main", "sluice/agent-2"); changed != "a/agent.yaml" {
		t.Errorf("the proposal changes %s", changed)
	}
	if who := git(t, bare, "log", "-1", "--format=%an <%ae>|%s", "sluice/agent-2"); who != "Sluice <sluice@localhost>|Propose agent 2" {
		t.Errorf("it is by %s", who)
	}
	if now := git(t, clone, "status", "--porcelain", "--branch"); now != "## main...origin/main\nM  other" {
		t.Errorf("the checked-out files are\n%s", now)
	}
	p.Data = []byte("three\n")
	if _, err := r.Push(t.Context(), p); fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "it has something else already") {
		t.Errorf("a branch that has something else: %v", err)
	}
	p.Branch = "main"
	if done, err := r.Push(t.Context(), p); err != nil || !done.New || git(t, bare, "show", "main:a/agent.yaml") != "three" {
		t.Errorf("on the branch that is checked out: %v", err)
	}
	p.Data = []byte("four\n")
	if _, err := r.Push(t.Context(), p); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("somebody has pushed since: %v", err)
	}
}

func TestAuthors(t *testing.T) {
	bare, clone := cloned(t)
	r, path, err := propose.Open(t.Context(), filepath.Join(clone, "a", "agent.yaml"), "origin")
	if err != nil {
		t.Fatal(err)
	}
	for branch, c := range map[string]struct{ flag, config, want string }{
		"flag": {"Build Bot <bot@example.org>", "ann@example.org", "Build Bot <bot@example.org>"}, "config": {"", "ann@example.org", "ann <ann@example.org>"},
	} {
		git(t, clone, "config", "user.email", c.config)
		git(t, clone, "config", "user.name", "ann")
		r.Author = c.flag
		if _, err := r.Push(t.Context(), propose.Proposal{Path: path, Data: []byte(branch), Branch: branch, Message: "m"}); err != nil {
			t.Fatal(err)
		}
		if who := git(t, bare, "log", "-1", "--format=%an <%ae>", branch); who != c.want {
			t.Errorf("%s: it is by %s", branch, who)
		}
	}
}

func TestWhatCannotBeProposed(t *testing.T) {
	_, clone := cloned(t)
	file := filepath.Join(clone, "a", "agent.yaml")
	good := propose.Proposal{Path: "a/agent.yaml", Data: []byte("x"), Branch: "b", Message: "m"}
	for _, c := range []struct {
		reason, remote string
		change         func(*propose.Proposal)
		code           fault.Code
	}{
		{"a branch that is an option", "origin", func(p *propose.Proposal) { p.Branch = "--mirror" }, fault.Invalid},
		{"a branch that is several", "origin", func(p *propose.Proposal) { p.Branch = "a:refs/heads/main" }, fault.Invalid},
		{"a branch that leads out", "origin", func(p *propose.Proposal) { p.Branch = "../x" }, fault.Invalid},
		{"a remote that is an option", "--upload-pack=touch /tmp/x", func(*propose.Proposal) {}, fault.Invalid},
		{"a remote that is not there", "upstream", func(*propose.Proposal) {}, fault.Unreachable},
		{"a file that no commit has", "origin", func(p *propose.Proposal) { p.Path = "a/new.yaml" }, fault.Invalid},
		{"a folder", "origin", func(p *propose.Proposal) { p.Path = "a" }, fault.Invalid},
	} {
		r, _, err := propose.Open(t.Context(), file, c.remote)
		if err != nil {
			t.Fatal(err)
		}
		p := good
		c.change(&p)
		if done, err := r.Push(t.Context(), p); fault.CodeOf(err) != c.code {
			t.Errorf("%s: %+v, %v, want %s", c.reason, done, err, c.code)
		}
	}
	if _, _, err := propose.Open(t.Context(), filepath.Join(t.TempDir(), "x"), "origin"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("a file that is not there: %v", err)
	}
	outside := filepath.Join(t.TempDir(), "x")
	write(t, outside, "x")
	if _, _, err := propose.Open(t.Context(), outside, "origin"); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("a file in no repository: %v", err)
	}
}

func TestAPasswordInAnAddressIsNotSaid(t *testing.T) {
	_, clone := cloned(t)
	git(t, clone, "remote", "add", "gone", "http://ann:hunter2@127.0.0.1:1/x.git")
	r, _, err := propose.Open(t.Context(), filepath.Join(clone, "a", "agent.yaml"), "gone")
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Push(t.Context(), propose.Proposal{Path: "a/agent.yaml", Data: []byte("x"), Branch: "b", Message: "m"})
	if fault.CodeOf(err) != fault.Unreachable || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("it says %v", err)
	}
}
