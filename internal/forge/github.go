package forge

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sluice.dev/sluice/internal/fault"
)

// github speaks GitHub's REST API.
type github struct{ *caller }

// GitHub's shapes: what is used of them.
type (
	hubUser struct {
		ID    int64  `json:"id"`
		Login string `json:"login"`
		Type  string `json:"type"`
	}
	hubBranch struct {
		Ref  string `json:"ref"`
		SHA  string `json:"sha"`
		Repo *struct {
			FullName string `json:"full_name"`
			ID       int64  `json:"id"`
		} `json:"repo"` // null where the fork is gone
	}
	hubPull struct {
		Number   int64     `json:"number"`
		Title    string    `json:"title"`
		HTMLURL  string    `json:"html_url"`
		State    string    `json:"state"`
		Draft    bool      `json:"draft"`
		User     *hubUser  `json:"user"` // null where the account is gone
		Head     hubBranch `json:"head"`
		Base     hubBranch `json:"base"`
		MergedAt time.Time `json:"merged_at"`
		MergedBy *hubUser  `json:"merged_by"`
		Made     string    `json:"merge_commit_sha"`
	}
)

func (u *hubUser) person() Person {
	if u == nil {
		return Person{}
	}
	return Person{ID: u.ID, Login: u.Login, Bot: u.Type == "Bot"}
}

func (p *hubPull) request() Request {
	r := Request{
		Number: p.Number, Title: p.Title, URL: p.HTMLURL, Author: p.User.person(), Draft: p.Draft, Into: p.Base.Ref, Head: p.Head.SHA,
		From: p.Head.Ref, State: Opened, Fork: p.Head.Repo == nil || p.Base.Repo == nil || p.Head.Repo.ID != p.Base.Repo.ID,
	}
	switch {
	case !p.MergedAt.IsZero():
		r.State, r.Merge = Merged, Merge{By: p.MergedBy.person(), At: p.MergedAt, Commits: []string{p.Made}}
	case p.State != "open":
		r.State = Closed
	}
	return r
}

func (g *github) below(path string) string { return "/repos/" + g.at.Repository + path }

func numbered(n int64) string { return strconv.FormatInt(n, 10) }

func (g *github) own(ctx context.Context) (Person, error) {
	const what = "tell the account of the token"
	u, err := one[hubUser](ctx, g.caller, asked{what: what, path: "/user"})
	if statusOf(err) != http.StatusForbidden || fault.CodeOf(err) != fault.Unauthorized {
		return u.person(), err
	}
	// The token of an app's installation may not ask that, and may ask the same by GraphQL.
	answer, err := one[struct {
		Data struct {
			Viewer struct {
				ID    int64  `json:"databaseId"`
				Login string `json:"login"`
			} `json:"viewer"`
		} `json:"data"`
	}](ctx, g.caller, asked{
		what: what, method: http.MethodPost, api: g.graph(), body: map[string]any{"query": "{viewer{login databaseId}}"},
	})
	return Person{ID: answer.Data.Viewer.ID, Login: answer.Data.Viewer.Login, Bot: true}, err
}

// graph is where GitHub answers GraphQL, which is beside the REST API of an installation of one's own.
func (g *github) graph() string {
	if base, ok := strings.CutSuffix(g.at.API, "/api/v3"); ok {
		return base + "/api/graphql"
	}
	return g.at.API + "/graphql"
}

func (g *github) requests(ctx context.Context, branch string) ([]Request, error) {
	return g.pulls(ctx, "list open requests", url.Values{"base": {branch}, "state": {"open"}, "sort": {"updated"}, "direction": {"desc"}})
}

func (g *github) between(ctx context.Context, from, into string) ([]Request, error) {
	owner, _, _ := strings.Cut(g.at.Repository, "/")
	return g.pulls(ctx, "look for an open request from "+from, url.Values{"head": {owner + ":" + from}, "base": {into}, "state": {"open"}})
}

func (g *github) pulls(ctx context.Context, what string, query url.Values) ([]Request, error) {
	all, err := list[hubPull](ctx, g.caller, asked{what: what, path: g.below("/pulls"), query: query}, maxRequests)
	return hubRequests(all), err
}

func hubRequests(all []hubPull) []Request {
	out := make([]Request, len(all))
	for i := range all {
		out[i] = all[i].request()
	}
	return out
}

func (g *github) request(ctx context.Context, number int64) (Request, error) {
	p, err := one[hubPull](ctx, g.caller, asked{what: "read request " + numbered(number), path: g.below("/pulls/" + numbered(number))})
	if err != nil {
		return Request{}, err
	}
	return p.request(), nil
}

func (g *github) containing(ctx context.Context, commit string) ([]Request, error) {
	all, err := list[hubPull](ctx, g.caller,
		asked{what: "tell which request commit " + commit + " came from", path: g.below("/commits/" + commit + "/pulls")}, maxRequests)
	return hubRequests(all), err
}

func (g *github) open(ctx context.Context, p Proposal) error {
	return g.do(ctx, asked{
		what: "open a request from " + p.From, method: http.MethodPost, path: g.below("/pulls"),
		body: map[string]any{"title": p.Title, "body": p.Text, "head": p.From, "base": p.Into},
	}, nil)
}

type hubComment struct {
	ID   int64    `json:"id"`
	Body string   `json:"body"`
	User *hubUser `json:"user"`
}

func (g *github) comments(ctx context.Context, number int64) ([]comment, error) {
	all, err := list[hubComment](ctx, g.caller,
		asked{what: "list comments on request " + numbered(number), path: g.below("/issues/" + numbered(number) + "/comments")}, maxComments)
	out := make([]comment, len(all))
	for i, c := range all {
		out[i] = comment{id: c.ID, by: c.User.person(), text: c.Body}
	}
	return out, err
}

func (g *github) say(ctx context.Context, number int64, text string) error {
	return g.do(ctx, asked{
		what: "comment on request " + numbered(number), method: http.MethodPost,
		path: g.below("/issues/" + numbered(number) + "/comments"),
		body: map[string]any{"body": text},
	}, nil)
}

func (g *github) edit(ctx context.Context, number, comment int64, text string) error {
	return g.do(ctx, asked{
		what: "edit a comment on request " + numbered(number), method: http.MethodPatch,
		path: g.below("/issues/comments/" + numbered(comment)),
		body: map[string]any{"body": text},
	}, nil)
}

func (g *github) remove(ctx context.Context, number, comment int64) error {
	return g.do(ctx, asked{
		what: "remove a comment on request " + numbered(number), method: http.MethodDelete,
		path: g.below("/issues/comments/" + numbered(comment)),
	}, nil)
}

type hubStatus struct {
	State       string `json:"state"`
	Context     string `json:"context"`
	Description string `json:"description,omitempty"`
	TargetURL   string `json:"target_url,omitempty"`
}

// Of how many contexts a status is looked for.
const (
	statusesPerPage = 100
	maxStatusPages  = 10
)

// statuses goes by the name: a status is not changed, it is set again.
func (g *github) statuses(ctx context.Context, commit string, like Status) ([]Status, error) {
	for page := 1; page <= maxStatusPages; page++ {
		combined, err := one[struct {
			Statuses []hubStatus `json:"statuses"`
		}](ctx, g.caller, asked{
			what: "list statuses of commit " + commit, path: g.below("/commits/" + commit + "/status"),
			query: url.Values{"per_page": {strconv.Itoa(statusesPerPage)}, "page": {strconv.Itoa(page)}},
		})
		if err != nil {
			return nil, err
		}
		for _, s := range combined.Statuses {
			if s.Context == like.Name {
				return []Status{{Name: s.Context, Standing: Standing(s.State), Says: s.Description, URL: s.TargetURL}}, nil
			}
		}
		if len(combined.Statuses) < statusesPerPage {
			break
		}
	}
	return nil, nil
}

func (g *github) set(ctx context.Context, commit string, s Status) error {
	return g.do(ctx, asked{
		what: "set a status of commit " + commit, method: http.MethodPost, path: g.below("/statuses/" + commit),
		body: hubStatus{State: string(s.Standing), Context: s.Name, Description: s.Says, TargetURL: s.URL},
	}, nil)
}
