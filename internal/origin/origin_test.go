package origin_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/origin"
)

// repository is a git repository with one commit and the given remote, and a file pipelines/agent.yaml.
type repository struct {
	t   *testing.T
	dir string
}

func newRepository(t *testing.T, name, remote string) repository {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("SLUICE_REQUIRE") == "all" {
			t.Fatal("there is no git on this machine, and everything is required")
		}
		t.Skip("there is no git on this machine")
	}
	// The machine's own settings must not decide what these tests see.
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	r := repository{t, filepath.Join(t.TempDir(), name)}
	r.write("pipelines/agent.yaml", "one")
	r.git("init", "--quiet")
	if remote != "" {
		r.git("remote", "add", "origin", remote)
	}
	return r
}

func (r repository) write(name, text string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r repository) git(args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=somebody", "-c", "user.email=somebody@example.com"}, args...)...)
	cmd.Dir = r.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func (r repository) commit() string {
	r.t.Helper()
	r.git("add", ".")
	r.git("commit", "--quiet", "--message", "one")
	return r.git("rev-parse", "HEAD")[:40]
}

func (r repository) of(name string) api.Origin {
	r.t.Helper()
	o, err := origin.Of(filepath.Join(r.dir, name))
	if err != nil {
		r.t.Fatal(err)
	}
	return o
}

func TestOf(t *testing.T) {
	const remote = "https://git.example/fleet.git"
	cases := map[string]struct {
		reason string
		folder string
		path   string
		change func(repository)
		want   api.Origin
	}{
		"a file of a clean tree": {
			reason: "repository, commit and path say where it came from",
			path:   "pipelines/agent.yaml",
			want:   api.Origin{Repository: remote, Path: "pipelines/agent.yaml"},
		},
		"the repository itself": {
			reason: "whole folders are planned at a time",
			path:   ".",
			want:   api.Origin{Repository: remote, Path: "."},
		},
		"a tree with a new file elsewhere": {
			reason: "a log beside the files that were read changes none of them",
			path:   "pipelines",
			change: func(r repository) { r.write("other.log", "new") },
			want:   api.Origin{Repository: remote, Path: "pipelines"},
		},
		"a folder with a new file": {
			reason: "what is read there is in no commit",
			path:   "pipelines",
			change: func(r repository) { r.write("pipelines/more/new.yaml", "new") },
			want:   api.Origin{Repository: remote, Path: "pipelines", Dirty: true},
		},
		"a folder with an odd name": {
			reason: "no name may be read as an option, a pattern or a command",
			folder: "--help 'and' $(touch x) \"more\" *",
			path:   "pipelines/-rf.yaml",
			change: func(r repository) { r.write("pipelines/-rf.yaml", "odd") },
			want:   api.Origin{Repository: remote, Path: "pipelines/-rf.yaml", Dirty: true},
		},
		"a path through a link": {
			reason: "the path is the one that git knows",
			path:   "link",
			change: func(r repository) {
				if err := os.Symlink("pipelines/agent.yaml", filepath.Join(r.dir, "link")); err != nil {
					r.t.Fatal(err)
				}
			},
			want: api.Origin{Repository: remote, Path: "pipelines/agent.yaml"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			folder := tc.folder
			if folder == "" {
				folder = "fleet"
			}
			r := newRepository(t, folder, remote)
			tc.want.Commit = r.commit()
			if tc.change != nil {
				tc.change(r)
			}
			if diff := cmp.Diff(tc.want, r.of(tc.path)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestOfStripsCredentials(t *testing.T) {
	cases := map[string]struct{ remote, want string }{
		"a token in an https address":     {"https://oauth2:s3cret@git.example/fleet.git", "https://git.example/fleet.git"},
		"a token as the user":             {"https://s3cret@git.example:8443/fleet.git", "https://git.example:8443/fleet.git"},
		"a token in the query":            {"https://git.example/fleet.git?private_token=s3cret", "https://git.example/fleet.git"},
		"a password in an ssh address":    {"ssh://git:s3cret@git.example:22/fleet.git", "ssh://git@git.example:22/fleet.git"},
		"an ssh short form has no secret": {"git@git.example:team/fleet.git", "git@git.example:team/fleet.git"},
		"an address that does not parse":  {"https://user:s3%zzcret@git.example/fleet.git", "https://git.example/fleet.git"},
		"a folder on this machine":        {"/srv/git/fleet.git", "/srv/git/fleet.git"},
		"no remote at all":                {"", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRepository(t, "fleet", tc.remote)
			r.commit()
			if got := r.of(".").Repository; got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestOfWithoutHistory(t *testing.T) {
	r := newRepository(t, "fleet", "")
	want := api.Origin{Path: "pipelines", Dirty: true}
	if diff := cmp.Diff(want, r.of("pipelines")); diff != "" {
		t.Errorf("a repository without a commit has no commit (-want +got):\n%s", diff)
	}
}

func TestOfOutsideGit(t *testing.T) {
	t.Setenv("GIT_CEILING_DIRECTORIES", os.TempDir())
	dir := t.TempDir()
	got, err := origin.Of(dir)
	if err != nil || got != (api.Origin{Path: dir}) {
		t.Errorf("got %+v and %v, want the path alone: files need not be in git", got, err)
	}
}

func TestOfWithoutGit(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	dir := t.TempDir()
	got, err := origin.Of(dir)
	if err != nil || got != (api.Origin{Path: dir}) {
		t.Errorf("got %+v and %v, want the path alone: git need not be there", got, err)
	}
}

func TestOfIgnoresTheRepositoryOfAHook(t *testing.T) {
	r := newRepository(t, "fleet", "https://git.example/fleet.git")
	other := newRepository(t, "other", "https://git.example/other.git")
	r.commit()
	other.commit()
	t.Setenv("GIT_DIR", filepath.Join(other.dir, ".git"))
	if got := r.of(".").Repository; got != "https://git.example/fleet.git" {
		t.Errorf("got %s, want the repository in which the file lies", got)
	}
}

func TestOfWhatIsNotThere(t *testing.T) {
	_, err := origin.Of(filepath.Join(t.TempDir(), "gone"))
	if fault.CodeOf(err) != fault.NotFound {
		t.Errorf("got %v, want it reported as not found", err)
	}
}

func TestText(t *testing.T) {
	cases := map[string]struct {
		origin api.Origin
		want   string
	}{
		"nothing is known": {},
		"everything is known": {
			api.Origin{Repository: "https://git.example/fleet", Commit: "0123456789abcdef", Path: "pipelines", Dirty: true},
			"https://git.example/fleet at 0123456789ab, pipelines (with changes that are not committed)",
		},
		"outside git": {api.Origin{Path: "/srv/fleet"}, "/srv/fleet"},
		"no remote":   {api.Origin{Commit: "0123456789abcdef", Path: "."}, "a git repository without a remote at 0123456789ab"},
	}
	for name, tc := range cases {
		if got := origin.Text(tc.origin); got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}
