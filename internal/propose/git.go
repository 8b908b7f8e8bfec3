package propose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/fault"
)

// Bounds of what git takes and says.
const (
	gitWithin = 2 * time.Minute
	maxGit    = 32 << 20
)

// Repository is a checked-out git repository.
type Repository struct {
	Dir    string // its top
	Remote string // that branches are pushed to
	Author string // NAME <MAIL> of commits where git has none
}

// Open finds the repository of a file, and the file's path in it.
func Open(ctx context.Context, file, remote string) (*Repository, string, error) {
	whole, err := filepath.Abs(file)
	if err == nil {
		whole, err = filepath.EvalSymlinks(whole)
	}
	if err != nil {
		return nil, "", fault.Wrap(fault.NotFound, err, "cannot find %s", file)
	}
	r := &Repository{Dir: filepath.Dir(whole), Remote: remote}
	top, err := r.git(ctx, nil, nil, "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, "", fault.Wrap(fault.Invalid, err, "cannot propose a change of %s: it is in no git repository", file)
	}
	r.Dir = top
	path, err := filepath.Rel(top, whole)
	if err != nil || strings.HasPrefix(path, "..") {
		return nil, "", fault.New(fault.Invalid, "cannot propose a change of %s: it is not in its git repository", file)
	}
	return r, filepath.ToSlash(path), nil
}

// Proposal is a file that becomes another one.
type Proposal struct {
	Path    string // in the repository
	Data    []byte
	Branch  string
	Message string
}

// Proposed is a proposal on its branch.
type Proposed struct {
	Branch, Commit string
	New            bool // it was pushed now; else the branch had it
}

// Push puts a proposal on its branch, by one commit on top of what is checked out. A branch that has this very file has it already: nothing
// is pushed. One that has anything else that is not below the commit is fault.Conflict. The checked-out files and branch stay as they are.
func (r *Repository) Push(ctx context.Context, p Proposal) (Proposed, error) {
	if _, err := r.git(ctx, nil, nil, "check-ref-format", "refs/heads/"+p.Branch); err != nil || strings.HasPrefix(p.Branch, "-") {
		return Proposed{}, fault.New(fault.Invalid, "cannot use %q as a branch: git takes no such name", p.Branch)
	}
	if r.Remote == "" || strings.HasPrefix(r.Remote, "-") {
		return Proposed{}, fault.New(fault.Invalid, "cannot use %q as a remote", r.Remote)
	}
	blob, err := r.git(ctx, p.Data, nil, "hash-object", "-w", "--stdin")
	if err != nil {
		return Proposed{}, fault.Wrap(fault.Internal, err, "cannot store %s", p.Path)
	}
	tip, there, err := r.remote(ctx, p, blob)
	if err != nil || there {
		return Proposed{Branch: p.Branch, Commit: tip}, err
	}
	commit, err := r.commit(ctx, p, blob)
	if err != nil {
		return Proposed{}, err
	}
	if tip != "" {
		if _, err := r.git(ctx, nil, nil, "merge-base", "--is-ancestor", tip, commit); err != nil {
			return Proposed{}, fault.New(fault.Conflict,
				"cannot push to branch %s of %s: it has something else already, at %.12s; choose another one", p.Branch, r.Remote, tip)
		}
	}
	// Nobody may have pushed since: a branch that is not as it was seen is refused.
	lease := "--force-with-lease=refs/heads/" + p.Branch + ":" + tip
	if _, err := r.git(ctx, nil, nil, "push", "--quiet", lease, r.Remote, commit+":refs/heads/"+p.Branch); err != nil {
		return Proposed{}, fault.Wrap(fault.Unreachable, err, "cannot push to branch %s of %s", p.Branch, r.Remote)
	}
	return Proposed{Branch: p.Branch, Commit: commit, New: true}, nil
}

// remote is the tip of the branch there, "" where there is none, and whether it has the file as proposed.
func (r *Repository) remote(ctx context.Context, p Proposal, blob string) (tip string, there bool, err error) {
	ref := "refs/heads/" + p.Branch
	listed, err := r.git(ctx, nil, nil, "ls-remote", "--quiet", r.Remote, ref)
	if err != nil {
		return "", false, fault.Wrap(fault.Unreachable, err, "cannot ask %s for branch %s", r.Remote, p.Branch)
	}
	for line := range strings.Lines(listed) {
		if commit, name, _ := strings.Cut(strings.TrimSpace(line), "\t"); name == ref {
			tip = commit
		}
	}
	if tip == "" {
		return "", false, nil
	}
	if _, err := r.git(ctx, nil, nil, "fetch", "--quiet", "--no-tags", r.Remote, ref); err != nil {
		return "", false, fault.Wrap(fault.Unreachable, err, "cannot fetch branch %s of %s", p.Branch, r.Remote)
	}
	found, err := r.git(ctx, nil, nil, "rev-parse", "--verify", "--quiet", tip+":"+p.Path)
	return tip, err == nil && found == blob, nil
}

// commit makes a commit with the file on top of what is checked out, in an index of its own.
func (r *Repository) commit(ctx context.Context, p Proposal, blob string) (string, error) {
	failed := func(err error) error { return fault.Wrap(fault.Internal, err, "cannot commit %s", p.Path) }
	dir, err := os.MkdirTemp("", "sluice-index-")
	if err != nil {
		return "", failed(err)
	}
	defer os.RemoveAll(dir)
	env := append([]string{"GIT_INDEX_FILE=" + filepath.Join(dir, "index")}, r.identity(ctx)...)
	listed, err := r.git(ctx, nil, env, "ls-tree", "HEAD", "--", p.Path)
	if err != nil {
		return "", failed(err)
	}
	mode, _, _ := strings.Cut(listed, " ")
	if mode != "100644" && mode != "100755" {
		return "", fault.New(fault.Invalid, "cannot propose a change of %s: the commit that is checked out has no such file", p.Path)
	}
	if _, err = r.git(ctx, nil, env, "read-tree", "HEAD"); err != nil {
		return "", failed(err)
	}
	if _, err = r.git(ctx, nil, env, "update-index", "--cacheinfo", mode+","+blob+","+p.Path); err != nil {
		return "", failed(err)
	}
	tree, err := r.git(ctx, nil, env, "write-tree")
	if err != nil {
		return "", failed(err)
	}
	commit, err := r.git(ctx, []byte(p.Message), env, "commit-tree", tree, "-p", "HEAD")
	return commit, failed(err)
}

// Clean reports whether a file is as the commit that is checked out has it.
func (r *Repository) Clean(ctx context.Context, path string) (bool, error) {
	changed, err := r.git(ctx, nil, nil, "status", "--porcelain", "--", path)
	return changed == "", fault.Wrap(fault.Internal, err, "cannot tell whether %s was changed", path)
}

// identity is who commits, where git does not know.
func (r *Repository) identity(ctx context.Context) (env []string) {
	if mail, err := r.git(ctx, nil, nil, "config", "user.email"); err == nil && mail != "" && r.Author == "" {
		return nil
	}
	name, mail, ok := strings.Cut(strings.TrimSuffix(r.Author, ">"), "<")
	if !ok {
		name, mail = "Sluice", "sluice@localhost"
	}
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		env = append(env, "GIT_"+who+"_NAME="+strings.TrimSpace(name), "GIT_"+who+"_EMAIL="+strings.TrimSpace(mail))
	}
	return env
}

// git runs git in the repository, and returns what it says. It asks nobody for a password.
func (r *Repository) git(ctx context.Context, input []byte, env []string, args ...string) (string, error) {
	ctx, stop := context.WithTimeout(ctx, gitWithin)
	defer stop()
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Stdin, cmd.WaitDelay = r.Dir, bytes.NewReader(input), 5*time.Second
	cmd.Env = append(os.Environ(), append([]string{"GIT_TERMINAL_PROMPT=0", "LC_ALL=C"}, env...)...)
	var out, said bounded
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("git %s: %w", args[0], ctx.Err())
	case err != nil:
		var exit *exec.ExitError
		if text := strings.TrimSpace(said.String()); errors.As(err, &exit) && text != "" {
			err = errors.New(clip.Runes(hidden(text), 1_000))
		}
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return strings.TrimSpace(out.String()), nil
}

// hidden is what git says without the passwords of addresses.
func hidden(text string) string {
	words := strings.Split(text, " ")
	for i, w := range words {
		scheme, rest, ok := strings.Cut(w, "://")
		if user := strings.LastIndex(rest, "@"); ok && user >= 0 {
			words[i] = scheme + "://" + rest[user+1:]
		}
	}
	return strings.Join(words, " ")
}

// bounded keeps the beginning of what is written.
type bounded struct{ bytes.Buffer }

// Write implements io.Writer.
func (b *bounded) Write(data []byte) (int, error) {
	if room := maxGit - b.Len(); room > 0 {
		b.Buffer.Write(data[:min(room, len(data))])
	}
	return len(data), nil
}
