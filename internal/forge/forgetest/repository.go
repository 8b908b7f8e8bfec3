package forgetest

import (
	"slices"
	"time"

	"sluice.dev/sluice/internal/forge"
)

// Repository is one at a forge.
type Repository struct {
	Name string

	f        *Forge
	id       int64
	members  map[string]string // roles by login
	requests []*request
	statuses []status
	settings Settings
}

// Roles of members.
const (
	Reader = "read"
	Writer = "write"
)

// Settings are those of a GitLab project for approvals.
type Settings struct {
	Free         bool // an edition that has none
	ResetOnPush  bool // approvals are taken back on a push
	NoCommitters bool // who made a commit may not approve
	Timeless     bool // an older GitLab, which does not say when an approval was given
}

type request struct {
	number            int64
	id                int64
	title, text       string
	author            *account
	from, into        string
	fork, draft       bool
	state             forge.State
	versions          []version
	commits           []madeBy
	reviews           []review
	comments          []*comment
	mergedBy          *account
	mergedAt, changed time.Time
	made, squashed    string
}

type version struct {
	id   int64
	head string
	at   time.Time
}

type madeBy struct {
	sha               string
	author, committer *account // nil: no account has the address
}

type review struct {
	by     *account
	state  string // as GitHub calls it
	commit string
	at     time.Time
}

type comment struct {
	id   int64
	by   *account
	text string
	at   time.Time
}

type status struct {
	id                                  int64
	sha, name, branch, state, says, url string
}

func (r *request) head() string { return r.versions[len(r.versions)-1].head }

// Repository makes a repository, or returns the one of that name. Nobody is a member of it.
func (f *Forge) Repository(name string) *Repository {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.projects[name] == nil {
		f.projects[name] = &Repository{Name: name, f: f, id: f.id(), members: map[string]string{}}
	}
	return f.projects[name]
}

// Remove takes the repository away.
func (r *Repository) Remove() {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	delete(r.f.projects, r.Name)
}

// Member gives an account a role; "" takes it away.
func (r *Repository) Member(login, role string) {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	r.members[r.f.account(login).login] = role
	if role == "" {
		delete(r.members, login)
	}
}

// Set has it go by settings.
func (r *Repository) Set(s Settings) {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	r.settings = s
}

// Proposal is a request that a test has somebody open.
type Proposal struct {
	By         string
	From, Into string
	Head       string // the commit
	Title      string
	Fork       bool
	Draft      bool
}

// Propose opens a request of one commit, which its author made, and returns its number.
func (r *Repository) Propose(p Proposal) int64 {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	q := r.propose(p)
	q.commits = []madeBy{{sha: p.Head, author: q.author, committer: q.author}}
	return q.number
}

func (r *Repository) propose(p Proposal) *request {
	q := &request{
		number: int64(len(r.requests) + 1), id: r.f.id(), title: p.Title, author: r.f.account(p.By), from: p.From, into: p.Into, fork: p.Fork,
		draft: p.Draft, state: forge.Opened, changed: r.f.now(),
		versions: []version{{id: r.f.id(), head: p.Head, at: r.f.now()}},
	}
	r.requests = append(r.requests, q)
	return q
}

// with does something to a request.
func (r *Repository) with(number int64, do func(*request)) {
	r.f.t.Helper()
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	q := r.numbered(number)
	if q == nil {
		r.f.t.Fatalf("there is no request %d in %s", number, r.Name)
	}
	do(q)
	q.changed = r.f.now()
}

func (r *Repository) numbered(number int64) *request {
	if number < 1 || number > int64(len(r.requests)) {
		return nil
	}
	return r.requests[number-1]
}

// Push has a request propose a further commit. Its author and committer are accounts; "" is an address that none has.
func (r *Repository) Push(number int64, commit, author, committer string) {
	r.f.t.Helper()
	r.with(number, func(q *request) {
		q.versions = append(q.versions, version{id: r.f.id(), head: commit, at: r.f.now()})
		made := madeBy{sha: commit}
		if author != "" {
			made.author = r.f.account(author)
		}
		if committer != "" {
			made.committer = r.f.account(committer)
		}
		q.commits = append(q.commits, made)
		if r.settings.ResetOnPush {
			q.reviews = nil
		}
	})
}

// Approve has somebody approve of what is proposed now.
func (r *Repository) Approve(number int64, by string) { r.review(number, by, "APPROVED") }

// Object has somebody ask for changes; at GitLab he takes his approval back.
func (r *Repository) Object(number int64, by string) { r.review(number, by, "CHANGES_REQUESTED") }

// Remark has somebody say something that is no approval.
func (r *Repository) Remark(number int64, by string) { r.review(number, by, "COMMENTED") }

func (r *Repository) review(number int64, by, state string) {
	r.f.t.Helper()
	r.with(number, func(q *request) {
		q.reviews = append(q.reviews, review{by: r.f.account(by), state: state, commit: q.head(), at: r.f.now()})
	})
}

// Dismiss has the last review of somebody be dismissed.
func (r *Repository) Dismiss(number int64, by string) {
	r.f.t.Helper()
	r.with(number, func(q *request) {
		for i := range slices.Backward(q.reviews) {
			if q.reviews[i].by.login == by {
				q.reviews[i].state = "DISMISSED"
				return
			}
		}
		r.f.t.Fatalf("%s has not reviewed request %d", by, number)
	})
}

// Merging is how a request is merged.
type Merging struct {
	By     string
	Commit string // that merging made; "" where the branch was moved to what was proposed
	Squash string // that squashing made
}

// Merge merges a request.
func (r *Repository) Merge(number int64, m Merging) {
	r.f.t.Helper()
	r.with(number, func(q *request) {
		q.state, q.mergedBy, q.mergedAt = forge.Merged, r.f.account(m.By), r.f.now()
		q.made, q.squashed = m.Commit, m.Squash
	})
}

// Close closes a request that is not merged.
func (r *Repository) Close(number int64) {
	r.f.t.Helper()
	r.with(number, func(q *request) { q.state = forge.Closed })
}

// Comment is what somebody said on a request.
type Comment struct {
	By   string
	Text string
}

// Say has somebody comment on a request.
func (r *Repository) Say(number int64, c Comment) {
	r.f.t.Helper()
	r.with(number, func(q *request) { q.say(r.f, r.f.account(c.By), c.Text) })
}

func (q *request) say(f *Forge, by *account, text string) *comment {
	c := &comment{id: f.id(), by: by, text: text, at: f.now()}
	q.comments = append(q.comments, c)
	return c
}

// Comments are those on a request, the oldest first.
func (r *Repository) Comments(number int64) (out []Comment) {
	r.f.t.Helper()
	r.with(number, func(q *request) {
		for _, c := range q.comments {
			out = append(out, Comment{By: c.by.login, Text: c.text})
		}
	})
	return out
}

// Statuses are those of a commit, the newest of each name and branch, the oldest first.
func (r *Repository) Statuses(commit string) (out []forge.Status) {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	for _, s := range r.latest(commit) {
		standing := forge.Standing(s.state)
		if s.state == "failed" {
			standing = forge.Failed
		}
		out = append(out, forge.Status{Name: s.name, Standing: standing, Says: s.says, URL: s.url, Branch: s.branch})
	}
	return out
}

// latest is the newest status of each name and branch, the oldest first.
func (r *Repository) latest(commit string) []status {
	last := map[string]status{}
	for _, s := range r.statuses {
		if s.sha == commit {
			last[s.name+" "+s.branch] = s
		}
	}
	var out []status
	for _, s := range last {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b status) int { return int(a.id - b.id) })
	return out
}

// containing are the requests that have to do with a commit.
func (r *Repository) containing(commit string) []*request {
	return r.some(func(q *request) bool {
		in := slices.ContainsFunc(q.commits, func(c madeBy) bool { return c.sha == commit })
		return in || commit == q.made || commit == q.squashed || commit == q.head()
	})
}

func (r *Repository) some(wanted func(*request) bool) (out []*request) {
	for _, q := range r.requests {
		if wanted(q) {
			out = append(out, q)
		}
	}
	return out
}

// Unsay has all comments on a request be gone.
func (r *Repository) Unsay(number int64) {
	r.f.t.Helper()
	r.with(number, func(q *request) { q.comments = nil })
}
