// Package forge speaks with the forges where changes are proposed, reviewed and merged: GitHub and GitLab, by the REST APIs that they
// document. It knows a repository, its requests, what is said and judged there, and nothing of what Sluice does with it. It keeps
// nothing: whoever asks twice is answered by the forge twice.
//
// It takes a dozen of some hundreds of endpoints, so it is written on net/http: the clients of both forges would each be larger than all of
// it, leave the size of an answer unbounded, and know an approval's time only where they are newer than the forge.
package forge

import (
	"cmp"
	"context"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"

	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/fault"
)

// Kind is whose API a forge has.
type Kind string

// The kinds of forge.
const (
	GitHub Kind = "github"
	GitLab Kind = "gitlab"
)

// Token gives the credential to ask with. It is called for each request, so that one that is put in its place is taken at once. What it
// returns is never part of an error.
type Token func(ctx context.Context) (string, error)

// Place is a repository at a forge.
type Place struct {
	Kind       Kind
	API        string // where the REST API begins; by default that of github.com or gitlab.com
	Repository string // owner/name; at GitLab groups/.../name
	// Account is the login that the token is of, where the forge does not say. That of a GitHub App is its name and [bot].
	Account string
	Within  time.Duration // so long one answer may take; default 10 s
}

// Repository asks a forge about one of its repositories. It is safe for concurrent use. Its errors name the forge and the repository; their
// codes are fault.Unauthorized where the forge does not let the token, fault.NotFound where something is not there, or the token may not
// see it, fault.Conflict where somebody else was faster, fault.Invalid and fault.Refused where asking again does not help, and
// fault.Unreachable where it may. In the last a *Later says for how long not to ask, where the forge does.
type Repository struct {
	at   Place
	api  dialect
	call *caller
}

// dialect is what each forge answers in a way of its own. It is wide because one forge can be asked all that the other can.
type dialect interface {
	// own is the account of the token.
	own(ctx context.Context) (Person, error)

	requests(ctx context.Context, branch string) ([]Request, error)
	request(ctx context.Context, number int64) (Request, error)
	// containing are the merged requests by which a commit came to a branch.
	containing(ctx context.Context, commit string) ([]Request, error)
	between(ctx context.Context, from, into string) ([]Request, error)
	open(ctx context.Context, p Proposal) error

	ballot(ctx context.Context, r Request) (ballot, error)
	// reviewer reports whether somebody may write to the repository, and why what he says does not count all the same.
	reviewer(ctx context.Context, who Person) (apart string, err error)

	comments(ctx context.Context, number int64) ([]comment, error)
	say(ctx context.Context, number int64, text string) error
	edit(ctx context.Context, number, comment int64, text string) error
	remove(ctx context.Context, number, comment int64) error

	// statuses is the latest of a commit that another one would take the place of; none where there is none.
	statuses(ctx context.Context, commit string, like Status) ([]Status, error)
	set(ctx context.Context, commit string, s Status) error
}

// defaults are where the public forges are.
var defaults = map[Kind]string{GitHub: "https://api.github.com", GitLab: "https://gitlab.com/api/v4"}

// named are the names of repositories: how many parts they have, and of which characters.
var named = map[Kind]*regexp.Regexp{
	GitHub: regexp.MustCompile(`^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$`),
	GitLab: regexp.MustCompile(`^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+$`),
}

// maxName is longer than the name of a repository, in bytes.
const maxName = 1000

// New returns a repository. Nothing is asked. A place that can be none is fault.Invalid.
func New(at Place, token Token) (*Repository, error) {
	name := named[at.Kind]
	if name == nil {
		return nil, fault.New(fault.Invalid, "cannot ask forge of kind %q: it is %s or %s", at.Kind, GitHub, GitLab)
	}
	if len(at.Repository) > maxName || !name.MatchString(at.Repository) || climbs(at.Repository) {
		return nil, fault.New(fault.Invalid, "cannot ask %s about repository %q: that is no name of one there",
			at.Kind, clip.Bytes(at.Repository, 200))
	}
	at.API = strings.TrimSuffix(cmp.Or(at.API, defaults[at.Kind]), "/")
	if err := checked(at.API); err != nil {
		return nil, fault.New(fault.Invalid, "cannot ask %s at %.200q: %s", at.Kind, at.API, err)
	}
	c := &caller{at: at, token: token, within: cmp.Or(at.Within, answeredIn)}
	r := &Repository{at: at, call: c}
	if at.Kind == GitHub {
		r.api = &github{c}
	} else {
		r.api = &gitlab{c}
	}
	return r, nil
}

// Place returns where it is.
func (r *Repository) Place() Place { return r.at }

func climbs(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.Trim(part, ".") == "" {
			return true
		}
	}
	return false
}

// fault of an address; a type, so that it needs no code of its own.
type badAddress string

// Error returns what is wrong.
func (b badAddress) Error() string { return string(b) }

// checked refuses an address to which a token must not be sent.
func checked(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		return badAddress("it is no URL of an API")
	case u.User != nil:
		return badAddress("it has a user in it; a token has a place of its own")
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return badAddress("it has to begin with https, or the token could be read on its way")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// commitID is how git names a commit.
var commitID = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// maxBranch is more than the name of a branch has, in bytes.
const maxBranch = 255

func isBranch(name string) bool {
	return name != "" && len(name) <= maxBranch && !strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || r == ' ' })
}
