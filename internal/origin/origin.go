// Package origin says where a file came from: which git repository, at which commit. It asks the git on this machine and
// nothing else; it must not fetch, write, or fail where there is no git.
package origin

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
)

// timeout bounds all questions to git together. A repository on a dead network mount must not hang a plan.
const timeout = 5 * time.Second

// Of returns the origin of a file or folder. Outside git, or without git on this machine, it is the absolute path alone
// and no error. It is dirty where the path itself, or something below it, is not as the commit has it. Errors are
// fault.NotFound where path does not exist, and fault.Internal where git did not answer in five seconds.
func Of(path string) (api.Origin, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	o, err := of(ctx, path)
	if err == nil {
		return o, nil
	}
	if ctx.Err() != nil {
		return api.Origin{}, fault.Wrap(fault.Internal, ctx.Err(), "cannot find the origin of %s: git did not answer in %s", path, timeout)
	}
	if errors.Is(err, exec.ErrNotFound) {
		return nowhere(path)
	}
	return api.Origin{}, err
}

// nowhere is the origin of what no repository has.
func nowhere(path string) (api.Origin, error) {
	real, err := resolve(path)
	return api.Origin{Path: filepath.ToSlash(real)}, err
}

func of(ctx context.Context, path string) (api.Origin, error) {
	real, err := resolve(path)
	if err != nil {
		return api.Origin{}, err
	}
	git := runner{ctx: ctx, dir: folder(real)}
	top, err := git.run("rev-parse", "--show-toplevel")
	if err != nil {
		return api.Origin{Path: filepath.ToSlash(real)}, outside(err)
	}
	git.dir = top
	inside, err := filepath.Rel(top, real)
	if err != nil {
		return api.Origin{}, fault.Wrap(fault.Internal, err, "cannot find %s inside %s", path, top)
	}
	o := api.Origin{Path: filepath.ToSlash(inside)}
	// A repository may have no remote, and no commit yet: both stay empty.
	remote, err := git.run("config", "--get", "remote.origin.url")
	if err != nil && outside(err) != nil {
		return api.Origin{}, err
	}
	o.Repository = clean(remote)
	if o.Commit, err = git.run("rev-parse", "--verify", "--quiet", "HEAD"); err != nil && outside(err) != nil {
		return api.Origin{}, err
	}
	changes, err := git.run("status", "--porcelain", "--", ":(top,literal)"+o.Path)
	if err != nil {
		return api.Origin{}, outside(err)
	}
	o.Dirty = changes != ""
	return o, nil
}

// resolve makes a path absolute and free of links, as git prints them.
func resolve(path string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "cannot find the origin of %s", path)
	}
	real, err := filepath.EvalSymlinks(absolute)
	if errors.Is(err, os.ErrNotExist) {
		return "", fault.Wrap(fault.NotFound, err, "cannot find the origin of %s", path)
	}
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "cannot find the origin of %s", path)
	}
	return real, nil
}

func folder(path string) string {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return path
	}
	return filepath.Dir(path)
}

// outside turns git's own "no" into nothing, and keeps every other error.
func outside(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		return nil
	}
	return err
}

// runner asks git questions about one folder.
type runner struct {
	ctx context.Context
	dir string
}

// run returns what git prints, without the line end. The folder is the working directory and never an argument, so that no path
// can be read as an option.
func (r runner) run(args ...string) (string, error) {
	cmd := exec.CommandContext(r.ctx, "git", args...)
	cmd.Dir = r.dir
	// GIT_OPTIONAL_LOCKS keeps status from writing its index; the rest keeps an enclosing git command from pointing elsewhere.
	cmd.Env = append(environ(), "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
	cmd.WaitDelay = time.Second
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		return "", err
	}
	return strings.TrimSuffix(strings.TrimSuffix(out.String(), "\n"), "\r"), nil
}

// environ is our environment without the variables by which a git hook names its own repository.
func environ() []string {
	var env []string
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		switch name {
		case "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE":
			continue
		}
		env = append(env, v)
	}
	return env
}

// clean takes credentials out of a remote's address. What is not an address (a path, user@host:path) stays: the user of an
// ssh address is no secret, its password is.
func clean(remote string) string {
	u, err := url.Parse(remote)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return withoutUser(remote)
	}
	if u.Scheme == "ssh" && u.User != nil {
		u.User = url.User(u.User.Username())
	} else {
		u.User = nil
	}
	// A token may also stand in the query of an address.
	u.RawQuery, u.Fragment = "", ""
	return u.String()
}

// withoutUser cuts user and password from what looks like an address and does not parse as one.
func withoutUser(remote string) string {
	scheme, rest, found := strings.Cut(remote, "://")
	if !found {
		return remote
	}
	host, path, _ := strings.Cut(rest, "/")
	if at := strings.LastIndex(host, "@"); at >= 0 {
		host = host[at+1:]
	}
	return scheme + "://" + strings.TrimSuffix(host+"/"+path, "/")
}

// Text writes an origin as one phrase; "" where it is empty.
func Text(o api.Origin) string {
	if o == (api.Origin{}) {
		return ""
	}
	if o.Repository == "" && o.Commit == "" && filepath.IsAbs(o.Path) {
		return o.Path
	}
	text := o.Repository
	if text == "" {
		text = "a git repository without a remote"
	}
	if o.Commit != "" {
		text += " at " + o.Commit[:min(len(o.Commit), 12)]
	}
	if o.Path != "" && o.Path != "." {
		text += ", " + o.Path
	}
	if o.Dirty {
		text += " (with changes that are not committed)"
	}
	return text
}
