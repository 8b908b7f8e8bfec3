package forge

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// gitlab speaks GitLab's REST API, version 4.
type gitlab struct{ *caller }

// GitLab's shapes: what is used of them.
type (
	labUser struct {
		ID       int64  `json:"id"`
		Username string `json:"username"`
		Bot      bool   `json:"bot"`
	}
	labMerge struct {
		IID       int64     `json:"iid"`
		Title     string    `json:"title"`
		WebURL    string    `json:"web_url"`
		State     string    `json:"state"`
		Draft     bool      `json:"draft"`
		Author    *labUser  `json:"author"`
		SHA       string    `json:"sha"`
		From      string    `json:"source_branch"`
		Into      string    `json:"target_branch"`
		FromID    int64     `json:"source_project_id"` // null where the fork is gone
		IntoID    int64     `json:"target_project_id"`
		MergedAt  time.Time `json:"merged_at"`
		MergeUser *labUser  `json:"merge_user"`
		MergedBy  *labUser  `json:"merged_by"` // what it was called before
		Made      string    `json:"merge_commit_sha"`
		Squashed  string    `json:"squash_commit_sha"`
	}
)

func (u *labUser) person() Person {
	if u == nil {
		return Person{}
	}
	return Person{ID: u.ID, Login: u.Username, Bot: u.Bot}
}

func (m *labMerge) request() Request {
	r := Request{
		Number: m.IID, Title: m.Title, URL: m.WebURL, Author: m.Author.person(), Draft: m.Draft, Into: m.Into, Head: m.SHA, From: m.From,
		State: Opened, Fork: m.FromID == 0 || m.FromID != m.IntoID,
	}
	switch m.State {
	case "opened", "locked": // which it is for the moment of merging
	case "merged":
		by := m.MergeUser
		if by == nil {
			by = m.MergedBy
		}
		// Without a commit of merging or squashing, the branch was moved to what was proposed.
		made := slices.DeleteFunc([]string{m.Made, m.Squashed}, func(s string) bool { return s == "" })
		if len(made) == 0 && m.SHA != "" {
			made = []string{m.SHA}
		}
		r.State, r.Merge = Merged, Merge{By: by.person(), At: m.MergedAt, Commits: made}
	default:
		r.State = Closed
	}
	return r
}

func (g *gitlab) below(path string) string { return "/projects/" + escaped(g.at.Repository) + path }

func (g *gitlab) own(ctx context.Context) (Person, error) {
	u, err := one[labUser](ctx, g.caller, asked{what: "tell the account of the token", path: "/user"})
	return u.person(), err
}

func (g *gitlab) requests(ctx context.Context, branch string) ([]Request, error) {
	return g.merges(ctx, asked{
		what: "list open requests", path: g.below("/merge_requests"),
		query: url.Values{"target_branch": {branch}, "state": {"opened"}, "order_by": {"updated_at"}, "sort": {"desc"}},
	})
}

func (g *gitlab) between(ctx context.Context, from, into string) ([]Request, error) {
	return g.merges(ctx, asked{
		what: "look for an open request from " + from, path: g.below("/merge_requests"),
		query: url.Values{"source_branch": {from}, "target_branch": {into}, "state": {"opened"}},
	})
}

func (g *gitlab) containing(ctx context.Context, commit string) ([]Request, error) {
	return g.merges(ctx, asked{
		what: "tell which request commit " + commit + " came from", path: g.below("/repository/commits/" + commit + "/merge_requests"),
	})
}

func (g *gitlab) merges(ctx context.Context, a asked) ([]Request, error) {
	all, err := list[labMerge](ctx, g.caller, a, maxRequests)
	out := make([]Request, len(all))
	for i := range all {
		out[i] = all[i].request()
	}
	return out, err
}

func (g *gitlab) of(number int64) string { return g.below("/merge_requests/" + numbered(number)) }

func (g *gitlab) request(ctx context.Context, number int64) (Request, error) {
	m, err := one[labMerge](ctx, g.caller, asked{what: "read request " + numbered(number), path: g.of(number)})
	if err != nil {
		return Request{}, err
	}
	return m.request(), nil
}

func (g *gitlab) open(ctx context.Context, p Proposal) error {
	return g.do(ctx, asked{
		what: "open a request from " + p.From, method: http.MethodPost, path: g.below("/merge_requests"),
		body: map[string]any{"title": p.Title, "description": p.Text, "source_branch": p.From, "target_branch": p.Into},
	}, nil)
}

type labNote struct {
	ID     int64    `json:"id"`
	Body   string   `json:"body"`
	Author *labUser `json:"author"`
	System bool     `json:"system"`
}

func (g *gitlab) comments(ctx context.Context, number int64) ([]comment, error) {
	all, err := list[labNote](ctx, g.caller, asked{
		what: "list comments on request " + numbered(number), path: g.of(number) + "/notes",
		query: url.Values{"order_by": {"created_at"}, "sort": {"asc"}},
	}, maxComments)
	var out []comment
	for _, n := range all {
		if !n.System {
			out = append(out, comment{id: n.ID, by: n.Author.person(), text: n.Body})
		}
	}
	return out, err
}

func (g *gitlab) say(ctx context.Context, number int64, text string) error {
	return g.do(ctx, asked{
		what: "comment on request " + numbered(number), method: http.MethodPost,
		path: g.of(number) + "/notes", body: map[string]any{"body": text},
	}, nil)
}

func (g *gitlab) edit(ctx context.Context, number, comment int64, text string) error {
	return g.do(ctx, asked{
		what: "edit a comment on request " + numbered(number), method: http.MethodPut,
		path: g.of(number) + "/notes/" + numbered(comment),
		body: map[string]any{"body": text},
	}, nil)
}

func (g *gitlab) remove(ctx context.Context, number, comment int64) error {
	return g.do(ctx, asked{
		what: "remove a comment on request " + numbered(number), method: http.MethodDelete,
		path: g.of(number) + "/notes/" + numbered(comment),
	}, nil)
}

type labStatus struct {
	ID          int64  `json:"id"`
	Name        string `json:"name"`
	Status      string `json:"status"`
	Description string `json:"description"`
	TargetURL   string `json:"target_url"`
}

type labSet struct {
	State       string `json:"state"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	TargetURL   string `json:"target_url,omitempty"`
	Ref         string `json:"ref,omitempty"`
}

// maxStatuses is how many statuses of one name are looked at.
const maxStatuses = 1000

// standings are how GitLab calls how a commit stands.
var standings = map[Standing]string{Pending: "pending", Passed: "success", Failed: "failed"}

// statuses goes by the name, and by the branch where there is one.
func (g *gitlab) statuses(ctx context.Context, commit string, like Status) ([]Status, error) {
	query := url.Values{"name": {like.Name}}
	if like.Branch != "" {
		query.Set("ref", like.Branch)
	}
	all, err := list[labStatus](ctx, g.caller, asked{
		what: "list statuses of commit " + commit, path: g.below("/repository/commits/" + commit + "/statuses"),
		query: query,
	}, maxStatuses)
	if err != nil {
		return nil, err
	}
	var last labStatus
	for _, s := range all {
		if s.Name == like.Name && s.ID > last.ID {
			last = s
		}
	}
	if last.ID == 0 {
		return nil, nil
	}
	out := Status{Name: like.Name, Branch: like.Branch, Says: last.Description, URL: last.TargetURL}
	for standing, name := range standings {
		if name == last.Status {
			out.Standing = standing
		}
	}
	return []Status{out}, nil
}

func (g *gitlab) set(ctx context.Context, commit string, s Status) error {
	err := g.do(ctx, asked{
		what: "set a status of commit " + commit, method: http.MethodPost, path: g.below("/statuses/" + commit),
		body: labSet{State: standings[s.Standing], Name: s.Name, Description: s.Says, TargetURL: s.URL, Ref: s.Branch},
	}, nil)
	if statusOf(err) == http.StatusBadRequest && strings.Contains(err.Error(), "Cannot transition status") {
		return g.stands(ctx, commit, s, err)
	}
	return err
}

// stands takes it that GitLab does not have a commit stand as it stands already: then only the words that go with it stay those of before.
func (g *gitlab) stands(ctx context.Context, commit string, s Status, refused error) error {
	was, err := g.statuses(ctx, commit, s)
	if err == nil && len(was) == 1 && was[0].Standing == s.Standing {
		return nil
	}
	return refused
}
