package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	forges "sluice.dev/sluice/internal/forge"
	"sluice.dev/sluice/internal/forge/forgetest"
)

const built = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

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

// checkedOut makes the files of a session a clone of a repository, whose folder it returns.
func (s *session) checkedOut() string {
	s.t.Helper()
	s.t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	s.t.Setenv("GIT_CONFIG_SYSTEM", os.DevNull)
	bare := filepath.Join(s.t.TempDir(), "bare")
	git(s.t, s.files, "init", "-q", "--bare", "-b", "main", bare)
	git(s.t, s.files, "init", "-q", "-b", "main")
	git(s.t, s.files, "add", ".")
	git(s.t, s.files, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "one")
	git(s.t, s.files, "remote", "add", "origin", bare)
	git(s.t, s.files, "push", "-q", "origin", "main")
	return bare
}

const withImages = `# The component of this test.
apiVersion: sluice.dev/v1alpha1
kind: Component
metadata: {name: other}
spec:
  version: 2.0.0 # of all that it has
  pipeline: careful
  template: {manifests: agent}
  images:
    main: {default: r.example/other:2.0.0, environments: {production: r.example/other:1.9.0}}
    side: {default: r.example/side:1.0.0} # goes beside it
`

func TestAVersionOfAJob(t *testing.T) {
	s := newSession(t)
	s.writes("other.yaml", withImages)
	bare := s.checkedOut()
	summary, outputs := s.onGitHub()
	line := "ci version other " + s.files + " --image main=r.example/other:2.1.0" + built
	for attempt := 1; attempt <= 2; attempt++ {
		out, errs, code := s.types(line)
		if code != 0 || !strings.Contains(out, "other 2.1.0 is on branch sluice/other-2.1.0") ||
			!strings.Contains(out, "open the request: https://github.com/shop/infra/pull/new/sluice/other-2.1.0\n") {
			t.Fatalf("attempt %d: exit code %d: %s%s", attempt, code, out, errs)
		}
		if already := strings.Contains(out, " already, at"); already != (attempt == 2) || output(t, outputs, "changed") != map[int]string{1: "true", 2: "false"}[attempt] {
			t.Errorf("attempt %d: %s", attempt, out)
		}
		if branch, commit := output(t, outputs, "branch"), output(t, outputs, "commit"); branch != "sluice/other-2.1.0" || commit != git(t, bare, "rev-parse", branch) {
			t.Errorf("the outputs have branch %s at %s", branch, commit)
		}
	}
	if n := git(t, bare, "rev-list", "--count", "main..sluice/other-2.1.0"); n != "1" {
		t.Errorf("the branch has %s commits", n)
	}
	want := strings.NewReplacer("version: 2.0.0 #", "version: 2.1.0 #", "default: r.example/other:2.0.0", "default: r.example/other:2.1.0"+built).Replace(withImages)
	if got := git(t, bare, "show", "sluice/other-2.1.0:other.yaml") + "\n"; got != want {
		t.Errorf("the file becomes\n%s", got)
	}
	if !strings.Contains(read(t, summary), "### Proposed `other` `2.1.0`") || !strings.Contains(git(t, bare, "log", "-1", "--format=%B", "sluice/other-2.1.0"), "actions/runs/4711") {
		t.Errorf("the summary says %s", read(t, summary))
	}
	if now := git(t, s.files, "status", "--porcelain"); now != "" || git(t, s.files, "rev-parse", "--abbrev-ref", "HEAD") != "main" {
		t.Errorf("the checked-out files are\n%s", now)
	}

	git(t, s.files, "pull", "-q", "origin", "sluice/other-2.1.0")
	out, errs, code := s.types(line)
	if code != 0 || !strings.Contains(out, "other 2.1.0 has these images already: nothing is proposed\n") || output(t, outputs, "changed") != "false" {
		t.Errorf("once it is merged: exit code %d: %s%s", code, out, errs)
	}
}

func TestVersionsThatCannotBeProposed(t *testing.T) {
	s := newSession(t)
	s.writes("other.yaml", withImages)
	s.checkedOut()
	const image = " --image main=r.example/other:2.1.0" + built
	for _, c := range []struct {
		reason, line, says string
		code               int
	}{
		{"no image", "other", "--image is missing", 2},
		{"a tag alone", "other --image main=r.example/other:2.1.0", "it has no digest: a tag can be moved", 2},
		{"no reference", "other --image main=Ä@" + built, "is no image reference", 2},
		{"a slot that is not there", "other --image gone=r.example/other:2.1.0" + built, "it has the slots main, side", 2},
		{"a component that is not there", "gone" + image, "cannot find component gone", 1},
		{"the version that it has", "other --to 2.0.0" + image, "a version never changes", 2},
		{"no version", "other --image main=r.example/other" + built, "choose with --to VERSION", 2},
		{"two images, and no version", "other --image side=r.example/side:1.1.0" + built + image, "choose with --to VERSION", 2},
		{"a version that is none", "other --to _" + image, "version", 2},
		{"a version that no document has", "other --from 1.0.0" + image, "there are 2.0.0", 1},
		{"an environment that has no image of its own", "other --environment e2e" + image, "has no such field", 1},
		{"a branch that is none", "other --branch -x" + image, "git takes no such name", 2},
		{"a slot twice", "other" + image + image, "gives slot main twice", 2},
	} {
		name, flags, _ := strings.Cut(c.line, " ")
		out, errs, code := s.types("ci version " + name + " " + s.files + " " + flags)
		if code != c.code || !strings.Contains(errs, c.says) {
			t.Errorf("%s: exit code %d, want %d and %q: %s%s", c.reason, code, c.code, c.says, out, errs)
		}
	}
	s.writes("other.yaml", withImages+"# not committed\n")
	if _, errs, code := s.types("ci version other " + s.files + image); code != 1 || !strings.Contains(errs, "it has changes that no commit has") {
		t.Errorf("a file that was changed: exit code %d: %s", code, errs)
	}
}

func TestAVersionForOneEnvironment(t *testing.T) {
	s := newSession(t)
	s.writes("other.yaml", withImages)
	bare := s.checkedOut()
	_, outputs := s.onGitLab()
	out, errs, code := s.types("ci version other " + s.files + " --environment production --to 2.0.1 --branch main --image main=r.example/other" + built)
	if code != 0 || !strings.Contains(git(t, bare, "show", "main:other.yaml"), "{default: r.example/other:2.0.0, environments: {production: r.example/other"+built+"}}") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
	if got := read(t, outputs); !strings.Contains(got, "SLUICE_BRANCH=main\n") || !strings.Contains(got, "SLUICE_CHANGED=true\n") {
		t.Errorf("the outputs are %s", got)
	}
}

// TestAVersionIsProposedAtTheForge has a simulation of the forge open the request, once.
func TestAVersionIsProposedAtTheForge(t *testing.T) {
	s := newSession(t)
	s.writes("other.yaml", withImages)
	bare := s.checkedOut()
	_, outputs := s.onGitHub()
	hub := forgetest.New(t, forges.GitHub, time.Now)
	at := hub.Repository("shop/infra")
	at.Member("builder", forgetest.Writer)
	s.env["GITHUB_API_URL"] = hub.API()
	line := "ci version other " + s.files + " --image main=r.example/other:2.1.0" + built + " --request main"
	out, errs, code := s.types(line)
	if code != 2 || !strings.Contains(errs, "SLUICE_FORGE_TOKEN has no token; the version is on branch sluice/other-2.1.0") {
		t.Fatalf("without a token: exit code %d: %s%s", code, out, errs)
	}
	s.env["SLUICE_FORGE_TOKEN"] = hub.Token("builder")
	addresses := map[string]bool{}
	for range 2 {
		out, errs, code := s.types(line)
		opened := output(t, outputs, "request")
		if code != 0 || opened == "" || !strings.Contains(out, "it is proposed: "+opened+"\n") || strings.Contains(out, "open the request") {
			t.Fatalf("exit code %d, request %q: %s%s", code, opened, out, errs)
		}
		addresses[opened] = true
	}
	all, err := hub.Client("shop/infra", "builder").List(t.Context(), "main")
	if err != nil || len(addresses) != 1 || len(all) != 1 || all[0].From != "sluice/other-2.1.0" || all[0].Title != "Propose other 2.1.0" {
		t.Errorf("it is proposed once: %v, %+v (%v)", addresses, all, err)
	}
	if git(t, bare, "rev-list", "--count", "main..sluice/other-2.1.0") != "1" {
		t.Error("the branch has more than one commit")
	}
}
