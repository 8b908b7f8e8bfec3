package git_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/git"
	"sluice.dev/sluice/internal/git/gittest"
)

// dial makes a repository ready, with what a case changes.
func dial(t *testing.T, r *gittest.Repository, change func(*git.Repository)) *git.Remote {
	t.Helper()
	at := git.Repository{URL: r.URL, Branch: "main", Limits: git.Limits{Time: 20 * time.Second}}
	if change != nil {
		change(&at)
	}
	remote, err := git.Dial(at)
	if err != nil {
		t.Fatal(err)
	}
	return remote
}

func read(t *testing.T, remote *git.Remote) (*git.Commit, error) {
	t.Helper()
	heads, err := remote.Look(t.Context())
	if err != nil {
		return nil, err
	}
	return remote.Read(t.Context(), heads.Branch)
}

func names(c *git.Commit) []string {
	var all []string
	for _, f := range c.Files {
		all = append(all, f.Path)
	}
	return all
}

func TestACommitIsReadWithTheFilesOfItsPaths(t *testing.T) {
	server := gittest.Start(t)
	for _, partial := range []bool{false, true} {
		r := server.Repository(fmt.Sprintf("infra-%v", partial))
		if partial {
			r.Partial()
		}
		r.Commit("First", map[string]string{"README.md": "a", "fleet/a.yaml": "a: 1\n", "fleet/deep/b.yaml": "b: 1\n", "fleets/c.yaml": "", "one.yaml": "1"})
		if err := os.Chmod(filepath.Join(r.Folder(), "fleet/a.yaml"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("../../one.yaml", filepath.Join(r.Folder(), "fleet/deep/link.yaml")); err != nil {
			t.Fatal(err)
		}
		want := r.Save("Second\n\nwith more")
		for name, c := range map[string]struct {
			paths, want []string
		}{
			"all":             {nil, []string{"README.md", "fleet/a.yaml", "fleet/deep/b.yaml", "fleet/deep/link.yaml", "fleets/c.yaml", "one.yaml"}},
			"all, said":       {[]string{"."}, []string{"README.md", "fleet/a.yaml", "fleet/deep/b.yaml", "fleet/deep/link.yaml", "fleets/c.yaml", "one.yaml"}},
			"a folder":        {[]string{"fleet/"}, []string{"fleet/a.yaml", "fleet/deep/b.yaml", "fleet/deep/link.yaml"}},
			"a file":          {[]string{"fleet/deep/b.yaml", "one.yaml"}, []string{"fleet/deep/b.yaml", "one.yaml"}},
			"one in an other": {[]string{"fleet/deep", "fleet", "fleet/a.yaml"}, []string{"fleet/a.yaml", "fleet/deep/b.yaml", "fleet/deep/link.yaml"}},
		} {
			t.Run(fmt.Sprintf("%s, partial %v", name, partial), func(t *testing.T) {
				got, err := read(t, dial(t, r, func(at *git.Repository) { at.Paths = c.paths }))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.want, names(got)); diff != "" {
					t.Errorf("files (-want +got):\n%s", diff)
				}
				if got.Hash != want || got.Author != "Ann" || got.Email != "ann@example.com" || got.Message != "Second" || len(got.Parents) != 1 {
					t.Errorf("the commit is %s by %s <%s>: %q after %v", got.Hash, got.Author, got.Email, got.Message, got.Parents)
				}
			})
		}
		got, err := read(t, dial(t, r, nil))
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := got.Write(dir); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"fleet/a.yaml": "a: 1\n", "fleet/deep/link.yaml": "1"} {
			if data, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(data) != text {
				t.Errorf("%s is written as %q, %v", name, data, err)
			}
		}
	}
}

// TestWhatMayNotBeReadIsNot holds each bound and each refusal: the code says whether it is tried again.
func TestWhatMayNotBeReadIsNot(t *testing.T) {
	server := gittest.Start(t)
	link := func(r *gittest.Repository, to, at string) {
		path := filepath.Join(r.Folder(), at)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
	}
	index := func(r *gittest.Repository, mode, hash, path string) {
		r.Git("update-index", "--add", "--cacheinfo", mode+","+hash+","+path)
		r.Git("commit", "--quiet", "--message", "By hand")
		r.Git("push", "--quiet", "origin", "HEAD")
	}
	for name, c := range map[string]struct {
		reason string
		make   func(*gittest.Repository)
		change func(*git.Repository)
		code   fault.Code
		says   string
	}{
		"large": {
			reason: "two gigabytes would fill a disk and a day; here it is two megabytes and a bound of one",
			make:   func(r *gittest.Repository) { r.Commit("a", map[string]string{"a": noise(2 << 20)}) },
			change: func(at *git.Repository) { at.Limits.Pack = 1 << 20 },
			code:   fault.Invalid, says: "what it sends is larger than 1 megabytes",
		},
		"a bomb of zeros": {
			reason: "what is small on the wire may be large in memory",
			make:   func(r *gittest.Repository) { r.Commit("a", map[string]string{"a": strings.Repeat("\x00", 20<<20)}) },
			code:   fault.Invalid, says: "it has a file of 20971520 bytes, and may have none above 16777216",
		},
		"a bomb of deltas": {
			reason: "a delta that copies its base many times is some bytes on the wire",
			make: func(r *gittest.Repository) {
				r.Commit("a", map[string]string{"a": noise(64 << 10)})
				r.Commit("b", map[string]string{"b": strings.Repeat(noise(64<<10), 64)})
				r.Git("repack", "-adfq", "--window=50", "--depth=50")
				r.Git("push", "--quiet", "origin", "HEAD")
			},
			change: func(at *git.Repository) { at.Limits.File = 1 << 20 },
			code:   fault.Invalid, says: "it has a file of 4194304 bytes",
		},
		"a link of a million parts": {
			reason: "each part is looked up with all before it: a day of work for a megabyte",
			make: func(r *gittest.Repository) {
				index(r, "120000", r.Pipe(strings.Repeat("a/", 1<<20), "hash-object", "-w", "--stdin"), "a")
			},
			code: fault.Invalid, says: "it is a link to something of 2097152 bytes, and a path has at most 4096",
		},
		"many small ones": {
			reason: "all together they are as large",
			make: func(r *gittest.Repository) {
				files := map[string]string{}
				for i := range 10 {
					files[fmt.Sprint(i)] = fmt.Sprint(i) + strings.Repeat("a", 1<<20)
				}
				r.Commit("a", files)
			},
			change: func(at *git.Repository) { at.Limits.Bytes = 8 << 20 },
			code:   fault.Invalid, says: "unpacked it is larger than 8 megabytes",
		},
		"one at many paths": {
			reason: "an object is sent once, and written for each path",
			make: func(r *gittest.Repository) {
				files := map[string]string{}
				for i := range 10 {
					files[fmt.Sprint(i)] = strings.Repeat("a", 1<<20)
				}
				r.Commit("a", files)
			},
			change: func(at *git.Repository) { at.Limits.Bytes = 8 << 20 },
			code:   fault.Invalid, says: "all files are larger than 8 megabytes",
		},
		"a bomb of trees": {
			reason: "ten trees that hold each other ten times are ten billion files",
			make: func(r *gittest.Repository) {
				r.Commit("a", map[string]string{"a": "x"})
				tree := r.Git("rev-parse", "HEAD^{tree}")
				for range 10 {
					var entries strings.Builder
					for i := range 10 {
						fmt.Fprintf(&entries, "040000 tree %s\tf%d\n", tree, i)
					}
					tree = r.Pipe(entries.String(), "mktree")
				}
				commit := r.Git("commit-tree", "-m", "Bomb", tree)
				r.Git("push", "--quiet", "--force", "origin", commit+":refs/heads/main")
			},
			code: fault.Invalid, says: "there are more than",
		},
		"too many objects": {
			reason: "each costs as much as a file",
			make: func(r *gittest.Repository) {
				files := map[string]string{}
				for i := range 60 {
					files[fmt.Sprint(i)] = fmt.Sprint(i)
				}
				r.Commit("a", files)
			},
			change: func(at *git.Repository) { at.Limits.Objects = 50 },
			code:   fault.Invalid, says: "it has 62 objects, and may have 50",
		},
		"a submodule": {
			reason: "it is another repository, that nobody named",
			make: func(r *gittest.Repository) {
				hash := r.Commit("a", map[string]string{"a": "x"})
				index(r, "160000", hash, "vendor/lib")
			},
			code: fault.Invalid, says: `cannot read "vendor/lib" of URL at HASH: it is a submodule`,
		},
		"a submodule elsewhere": {
			reason: "what is not read needs not be there",
			make: func(r *gittest.Repository) {
				hash := r.Commit("a", map[string]string{"a/b": "x"})
				index(r, "160000", hash, "vendor/lib")
			},
			change: func(at *git.Repository) { at.Paths = []string{"a"} },
		},
		"a link out of it": {
			reason: "it would read what is on the machine",
			make:   func(r *gittest.Repository) { link(r, "../../etc/passwd", "a/b"); r.Save("a") },
			code:   fault.Invalid, says: `"../../etc/passwd"`,
		},
		"a link to the root": {
			reason: "the same, said otherwise",
			make:   func(r *gittest.Repository) { link(r, "/etc", "a"); r.Save("a") },
			code:   fault.Invalid, says: "it is a link that leads out of the repository",
		},
		"a link by a link": {
			reason: "each of them alone stays in the tree",
			make: func(r *gittest.Repository) {
				r.Commit("a", map[string]string{"x/y/z/f": "x"})
				link(r, "x/y/z", "in")
				link(r, "in/../../../../etc", "out")
				r.Save("b")
			},
			code: fault.Invalid, says: "it is a link that leads out of the repository",
		},
		"links in a circle": {
			reason: "they lead nowhere",
			make:   func(r *gittest.Repository) { link(r, "b", "a"); link(r, "a", "b"); r.Save("a") },
			code:   fault.Invalid, says: "or nowhere",
		},
		"deep": {
			reason: "whoever walks it must not run out of stack",
			make:   func(r *gittest.Repository) { r.Commit("a", map[string]string{strings.Repeat("a/", 40) + "f": "x"}) },
			code:   fault.Invalid, says: "it is more than 32 folders deep",
		},
		"a long path": {
			reason: "a file system would refuse it later",
			make: func(r *gittest.Repository) {
				r.Commit("a", map[string]string{strings.Repeat(strings.Repeat("a", 200)+"/", 6) + "f": "x"})
			},
			code: fault.Invalid, says: "its path is longer than 1024 bytes",
		},
		"a name of two lines": {
			reason: "it would be shown as something else than it is",
			make:   func(r *gittest.Repository) { r.Commit("a", map[string]string{"a\nb": "x"}) },
			code:   fault.Invalid, says: "it has no name that a file may have",
		},
		"no such path": {
			reason: "what is said to be read is not there",
			make:   func(r *gittest.Repository) { r.Commit("a", map[string]string{"a/b": "x"}) },
			change: func(at *git.Repository) { at.Paths = []string{"a/c"} },
			code:   fault.NotFound, says: "cannot read a/c of URL at HASH: it is not there",
		},
		"no such branch": {
			reason: "somebody has renamed it",
			make:   func(r *gittest.Repository) { r.Commit("a", map[string]string{"a": "x"}) },
			change: func(at *git.Repository) { at.Branch = "master" },
			code:   fault.NotFound, says: "cannot read URL: it has no branch master",
		},
		"empty": {
			reason: "nobody has pushed yet",
			make:   func(*gittest.Repository) {},
			code:   fault.NotFound, says: "cannot read URL: it has no commit yet",
		},
		"vanished": {
			reason: "somebody has taken it away",
			make: func(r *gittest.Repository) {
				r.Commit("a", map[string]string{"a": "x"})
				if err := os.RemoveAll(r.Bare); err != nil {
					t.Fatal(err)
				}
			},
			code: fault.NotFound, says: "cannot read URL: there is no such repository",
		},
		"not there": {
			reason: "nobody listens",
			make:   func(*gittest.Repository) {},
			change: func(at *git.Repository) { at.URL = "http://127.0.0.1:1/infra" },
			code:   fault.Unreachable, says: "cannot read http://127.0.0.1:1/infra",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := server.Repository(strings.ReplaceAll(name, " ", "-"))
			c.make(r)
			got, err := read(t, dial(t, r, c.change))
			if fault.CodeOf(err) != c.code {
				t.Fatalf("%s: it is read as %v, %v", c.reason, got, err)
			}
			if err == nil {
				return
			}
			text := regexp.MustCompile("[0-9a-f]{12}").ReplaceAllString(strings.ReplaceAll(err.Error(), r.URL, "URL"), "HASH")
			if !strings.Contains(text, c.says) {
				t.Errorf("%s: it says %s", c.reason, text)
			}
		})
	}
}

// noise is text that cannot be packed small, the same each time.
func noise(bytes int) string {
	out, state := make([]byte, bytes), uint64(88172645463325252)
	for i := range out {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		out[i] = byte(state)
	}
	return string(out)
}

func TestCredentialsAreAskedForAndRevoked(t *testing.T) {
	server := gittest.Start(t)
	r := server.Repository("infra")
	r.Commit("a", map[string]string{"a": "x"})
	server.Asks("ann", "s3cret")
	for name, c := range map[string]struct {
		reason, user, token string
		code                fault.Code
	}{
		"good":  {"it is hers", "ann", "s3cret", ""},
		"none":  {"the server asks for them", "", "", fault.Unauthorized},
		"wrong": {"they were revoked", "ann", "0ther", fault.Unauthorized},
	} {
		_, err := read(t, dial(t, r, func(at *git.Repository) { at.Login = git.Login{User: c.user, Token: c.token} }))
		if fault.CodeOf(err) != c.code {
			t.Errorf("%s: %s: %v", name, c.reason, err)
		}
		if err != nil && c.token != "" && strings.Contains(err.Error(), c.token) {
			t.Errorf("%s: the error has the token: %v", name, err)
		}
	}
}

func TestAServerThatHangsIsLeft(t *testing.T) {
	server := gittest.Start(t)
	r := server.Repository("infra")
	r.Commit("a", map[string]string{"a": "x"})
	server.Before(func(_ http.ResponseWriter, req *http.Request) bool {
		<-req.Context().Done()
		return true
	})
	remote := dial(t, r, func(at *git.Repository) { at.Limits.Time = 200 * time.Millisecond })
	if _, err := remote.Look(t.Context()); fault.CodeOf(err) != fault.Unreachable || !strings.Contains(err.Error(), "it took longer than 200ms") {
		t.Errorf("it says %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := remote.Look(ctx); err == nil {
		t.Error("it answers somebody who has gone")
	}
}

func TestWhetherACommitGoesOnFromAnother(t *testing.T) {
	server := gittest.Start(t)
	for _, partial := range []bool{false, true} {
		r := server.Repository(fmt.Sprintf("infra-%v", partial))
		if partial {
			r.Partial()
		}
		first := r.Commit("first", map[string]string{"a": "1"})
		second := r.Commit("second", map[string]string{"a": "2"})
		r.Git("checkout", "--quiet", "-b", "side", first)
		side := r.Commit("side", map[string]string{"b": "1"})
		r.Git("checkout", "--quiet", "main")
		r.Git("merge", "--quiet", "--no-ff", "-m", "merge", "side")
		joined := strings.TrimSpace(r.Git("rev-parse", "HEAD"))
		merge := r.Save("merged")
		remote := dial(t, r, nil)
		says := func(commit, from string, want bool, why string) {
			t.Helper()
			if got, err := remote.GoesOn(t.Context(), commit, from); err != nil || got != want {
				t.Errorf("partial %v: %s: %v, %v", partial, why, got, err)
			}
		}
		says(merge, first, true, "it is the first of all")
		says(merge, second, true, "it is before the merge")
		says(merge, side, true, "it was merged")
		says(merge, merge, true, "it is the same")
		way := func(commit, from string, most int, want ...string) {
			t.Helper()
			if got, err := remote.OnTheWay(t.Context(), commit, from, most); err != nil || !slices.Equal(got, want) {
				t.Errorf("partial %v: between %.7s and %.7s: %v, %v", partial, from, commit, got, err)
			}
		}
		way(merge, first, 10, second, joined)
		way(merge, first, 1, joined)
		way(merge, first, 0)
		way(merge, second, 10, joined)
		way(merge, merge, 10)
		way(merge, side, 10) // which the branch never was at
		r.Git("reset", "--quiet", "--hard", first)
		forced := r.Commit("forced", map[string]string{"a": "3"})
		says(forced, first, true, "both begin there")
		says(forced, merge, false, "somebody has pushed over it")
		way(forced, merge, 10)
		says(forced, "0123456789012345678901234567890123456789", false, "nobody knows that one")
		if _, err := remote.Read(t.Context(), "0123456789012345678901234567890123456789"); err == nil {
			t.Error("a commit is read that is not there")
		}
	}
}
