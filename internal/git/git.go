// Package git reads repositories of others: which commit is at the head of a branch, the files of one commit, whether it goes on from
// another, and who signed it. It keeps no working copy and no history: what it needs is fetched into memory, within bounds. It writes to no
// repository.
package git

import (
	"context"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"

	"sluice.dev/sluice/internal/fault"
)

// Repository is one that is read, and how.
type Repository struct {
	URL    string // https, ssh, or http
	Branch string
	Paths  []string // files and folders that are read; all where there are none
	Login  Login
	Limits Limits
}

// Login is what a repository is read with. None of it is ever part of an error.
type Login struct {
	User       string
	Token      string
	SSHKey     string // PEM
	KnownHosts string // as in a file of OpenSSH
	CA         string // PEM of who may have signed the server's certificate, beside those that the machine knows
}

// Limits are how much of a repository is read. Zero fields take their defaults.
type Limits struct {
	Pack    int64         // bytes that come over the wire; default 32 MiB
	Bytes   int64         // of all objects, unpacked; default 128 MiB
	File    int64         // of one; default 16 MiB
	Objects int           // default 50,000
	Files   int           // default 20,000
	Time    time.Duration // for one answer; default 2 minutes
}

func (l Limits) orDefault() Limits {
	return Limits{
		Pack: either(l.Pack, 32<<20), Bytes: either(l.Bytes, 128<<20), File: either(l.File, 16<<20),
		Objects: either(l.Objects, 50_000), Files: either(l.Files, 20_000), Time: either(l.Time, 2*time.Minute),
	}
}

func either[N int | int64 | time.Duration](n, otherwise N) N {
	if n <= 0 {
		return otherwise
	}
	return n
}

// Remote is a repository that can be asked. It is safe for use by several goroutines.
type Remote struct {
	at     Repository
	limits Limits
	client transport.Transport
	auth   transport.AuthMethod
}

// Heads are what a repository says of its references at one moment.
type Heads struct {
	Branch string            // the commit of the branch
	Refs   map[string]string // commits by the full name of their reference
}

// Look asks a repository where its references are. It is fault.NotFound where there is no repository or no branch, fault.Unauthorized where
// it does not let us read, and fault.Unreachable where it does not answer.
func (r *Remote) Look(ctx context.Context) (Heads, error) {
	ctx, cancel := context.WithTimeout(ctx, r.limits.Time)
	defer cancel()
	s, err := r.open(ctx)
	if err != nil {
		return Heads{}, err
	}
	defer s.close()
	heads := Heads{Refs: map[string]string{}}
	for name, hash := range s.refs.References {
		heads.Refs[name] = hash.String()
	}
	if heads.Branch = heads.Refs["refs/heads/"+r.at.Branch]; heads.Branch == "" {
		return Heads{}, fault.New(fault.NotFound, "cannot read %s: it has no branch %s", r.at.URL, r.at.Branch)
	}
	return heads, nil
}

// session is one conversation with a repository.
type session struct {
	transport.UploadPackSession
	remote *Remote
	refs   *packp.AdvRefs
}

// open begins a conversation: a repository says what it has.
func (r *Remote) open(ctx context.Context) (*session, error) {
	at, err := transport.NewEndpoint(r.at.URL)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "cannot read %s", r.at.URL)
	}
	at.CaBundle = []byte(r.at.Login.CA)
	up, err := r.client.NewUploadPackSession(at, r.auth)
	if err != nil {
		return nil, r.failed(ctx, err)
	}
	refs, err := up.AdvertisedReferencesContext(ctx)
	if err != nil {
		_ = up.Close()
		return nil, r.failed(ctx, err)
	}
	return &session{up, r, refs}, nil
}

// close ends a conversation. What it had to say was heard, or its error was.
func (s *session) close() { _ = s.Close() }

// offers reports whether a commit may be asked for.
func (s *session) offers(commit plumbing.Hash) bool {
	for _, hash := range s.refs.References {
		if hash == commit {
			return true
		}
	}
	return s.anything()
}

// anything reports whether any object may be asked for by its name.
func (s *session) anything() bool {
	can := s.refs.Capabilities
	return can.Supports("allow-reachable-sha1-in-want") || can.Supports("allow-any-sha1-in-want")
}
