package forge

import (
	"context"
	"net/http"
	"time"

	"sluice.dev/sluice/internal/fault"
)

type (
	labApprovals struct {
		ApprovedBy []struct {
			User       *labUser  `json:"user"`
			ApprovedAt time.Time `json:"approved_at"` // which older ones do not say
		} `json:"approved_by"`
	}
	labVersion struct {
		ID        int64     `json:"id"`
		Head      string    `json:"head_commit_sha"`
		CreatedAt time.Time `json:"created_at"`
	}
	// labSettings are how a project has approvals be given; only its paid editions have them.
	labSettings struct {
		ResetOnPush  bool `json:"reset_approvals_on_push"`
		NoCommitters bool `json:"merge_requests_disable_committers_approval"`
	}
)

// maxVersions is how often somebody may have pushed to a request.
const maxVersions = 1000

// ballot has the approvals that were given after what is proposed was pushed, by GitLab's own clock. Where GitLab does not say when they
// were given, they count where the project takes approvals back on each push.
func (g *gitlab) ballot(ctx context.Context, r Request) (ballot, error) {
	given, err := one[labApprovals](ctx, g.caller,
		asked{what: "list approvals of request " + numbered(r.Number), path: g.of(r.Number) + "/approvals"})
	if statusOf(err) == http.StatusNotFound { // the request is there: it has been read
		return ballot{doubts: []string{"this GitLab does not say who has approved"}}, nil
	}
	if err != nil {
		return ballot{}, err
	}
	versions, err := list[labVersion](ctx, g.caller,
		asked{what: "list versions of request " + numbered(r.Number), path: g.of(r.Number) + "/versions"}, maxVersions)
	if err != nil {
		return ballot{}, err
	}
	settings, err := g.settings(ctx)
	if err != nil {
		return ballot{}, err
	}
	var b ballot
	pushed := latest(versions)
	for _, a := range given.ApprovedBy {
		v := vote{by: a.User.person(), at: a.ApprovedAt}
		switch {
		case pushed.Head != r.Head:
			v.apart = "GitLab does not say when what is proposed was pushed"
		case !a.ApprovedAt.IsZero() && !a.ApprovedAt.After(pushed.CreatedAt):
			v.apart = "approved before what is proposed was pushed"
		case a.ApprovedAt.IsZero() && !settings.ResetOnPush:
			v.apart = "GitLab does not say when it was given, and the project keeps approvals on a push"
		}
		b.votes = append(b.votes, v)
	}
	if !settings.NoCommitters {
		b.doubts = append(b.doubts, "GitLab does not say whose account made a commit, and the project lets those who made one approve")
	}
	return b, nil
}

func latest(versions []labVersion) (last labVersion) {
	for _, v := range versions {
		if v.ID > last.ID {
			last = v
		}
	}
	return last
}

// settings are none where the edition has none, or the token may not see them.
func (g *gitlab) settings(ctx context.Context) (labSettings, error) {
	s, err := one[labSettings](ctx, g.caller, asked{what: "read approval settings", path: g.below("/approvals")})
	if status := statusOf(err); status == http.StatusNotFound || status == http.StatusForbidden && fault.CodeOf(err) == fault.Unauthorized {
		return labSettings{}, nil
	}
	return s, err
}

// developer is the access level from which one may push.
const developer = 30

func (g *gitlab) reviewer(ctx context.Context, who Person) (string, error) {
	member, err := one[struct {
		Level int    `json:"access_level"`
		State string `json:"state"`
	}](ctx, g.caller, asked{what: "tell what " + who.Login + " may do", path: g.below("/members/all/" + numbered(who.ID))})
	if statusOf(err) == http.StatusNotFound {
		return mayNotWrite, nil
	}
	if err != nil {
		return "", err
	}
	if member.Level < developer || member.State != "" && member.State != "active" {
		return mayNotWrite, nil
	}
	u, err := one[labUser](ctx, g.caller, asked{what: "tell who " + who.Login + " is", path: "/users/" + numbered(who.ID)})
	if err != nil {
		return "", err
	}
	if u.Bot {
		return "a program's approval is nobody's", nil
	}
	return "", nil
}
