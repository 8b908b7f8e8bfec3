package forge

import (
	"context"
	"time"

	"sluice.dev/sluice/internal/fault"
)

// Person is an account at a forge. Its ID is the forge's and never another one's; its login may change hands.
type Person struct {
	ID    int64
	Login string
	Bot   bool // known to be a program's
}

// State is what became of a request.
type State string

// The states of a request.
const (
	Opened State = "open"
	Merged State = "merged"
	Closed State = "closed" // and not merged
)

// Request is a proposed change: a pull request of GitHub, a merge request of GitLab.
type Request struct {
	Number int64 // within the repository
	Title  string
	URL    string // where people see it
	Author Person
	State  State
	Draft  bool

	Into string // the branch that it is to be merged into
	Head string // the commit that is proposed
	From string // the branch that has it
	Fork bool   // that branch is in another repository, to which others may write

	Merge Merge // where State is Merged
}

// Merge is how a request was merged. List leaves it out at GitHub; Get and MergedBy have it.
type Merge struct {
	By Person
	At time.Time
	// Commits are those that the forge made, or moved the branch to, as it merged: whoever finds the branch at one of them has what the
	// request proposed.
	Commits []string
}

// maxRequests is how many requests are listed.
const maxRequests = 1000

// List returns the open requests against a branch, the one that changed last first. More than 1,000 are fault.Refused.
func (r *Repository) List(ctx context.Context, branch string) ([]Request, error) {
	if !isBranch(branch) {
		return nil, fault.New(fault.Invalid, "cannot list open requests: %.300q is no branch", branch)
	}
	return r.api.requests(ctx, branch)
}

// Get returns one request.
func (r *Repository) Get(ctx context.Context, number int64) (Request, error) {
	return r.api.request(ctx, number)
}

// MergeOf returns the merged request whose merging brought a branch to a commit; false where it came there in another way: somebody
// pushed it. It answers for that commit alone: what came before it on the branch may have come in other ways.
func (r *Repository) MergeOf(ctx context.Context, commit, branch string) (Request, bool, error) {
	if !commitID.MatchString(commit) {
		return Request{}, false, fault.New(fault.Invalid, "cannot tell which request a commit came from: %.100q is no commit", commit)
	}
	all, err := r.api.containing(ctx, commit)
	if err != nil {
		return Request{}, false, err
	}
	for _, one := range all {
		if one.State != Merged || one.Into != branch {
			continue
		}
		full, err := r.api.request(ctx, one.Number)
		if err != nil {
			return Request{}, false, err
		}
		for _, made := range full.Merge.Commits {
			if made == commit && full.State == Merged && full.Into == branch {
				return full, true, nil
			}
		}
	}
	return Request{}, false, nil
}

// Proposal is a request that is not there yet.
type Proposal struct {
	From  string // a branch of the repository itself
	Into  string
	Title string
	Text  string // Markdown
}

// Bounds on a proposal, in characters: what both forges take.
const (
	maxTitle = 255
	maxText  = 60_000
)

// Open proposes a change, or finds the open request that proposes it: it is never proposed twice. The title and text of one that is there
// stay as they are. Made reports whether it was this call that opened it, as far as can be told.
func (r *Repository) Open(ctx context.Context, p Proposal) (_ Request, made bool, _ error) {
	switch {
	case !isBranch(p.From) || !isBranch(p.Into):
		return Request{}, false, fault.New(fault.Invalid, "cannot open request from %.300q into %.300q: they have to be branches", p.From, p.Into)
	case p.Title == "" || runes(p.Title) > maxTitle:
		return Request{}, false, fault.New(fault.Invalid, "cannot open request from %s: its title has 1 to %d characters", p.From, maxTitle)
	case runes(p.Text) > maxText:
		return Request{}, false, fault.New(fault.Invalid, "cannot open request from %s: its text has more than %d characters", p.From, maxText)
	}
	found, ok, err := r.opened(ctx, p)
	if err != nil || ok {
		return found, false, err
	}
	err = r.api.open(ctx, p)
	found, ok, lookErr := r.opened(ctx, p)
	switch {
	case lookErr == nil && ok: // where opening it failed, somebody else was faster, or the answer was lost
		return found, err == nil, nil
	case err != nil:
		return Request{}, false, err
	case lookErr != nil:
		return Request{}, false, lookErr
	}
	return Request{}, false, fault.New(fault.Unreachable, "cannot open request from %s of %s: %s took it, and does not list it yet",
		p.From, r.at.Repository, r.at.Kind)
}

func (r *Repository) opened(ctx context.Context, p Proposal) (Request, bool, error) {
	all, err := r.api.between(ctx, p.From, p.Into)
	if err != nil {
		return Request{}, false, err
	}
	for _, one := range all {
		if one.State == Opened && !one.Fork && one.From == p.From && one.Into == p.Into {
			return one, true, nil
		}
	}
	return Request{}, false, nil
}
