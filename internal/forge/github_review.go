package forge

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"sluice.dev/sluice/internal/clip"
)

type hubReview struct {
	User        *hubUser  `json:"user"`
	State       string    `json:"state"`
	CommitID    string    `json:"commit_id"`
	SubmittedAt time.Time `json:"submitted_at"`
}

type hubCommit struct {
	SHA       string   `json:"sha"`
	Author    *hubUser `json:"author"`    // the account that has the address of the commit; null where none has
	Committer *hubUser `json:"committer"` // the same
}

// Bounds on what is read of a request.
const (
	maxReviews = 3000
	// maxListed is how many commits of a request GitHub lists.
	maxListed = 250
)

func (g *github) ballot(ctx context.Context, r Request) (ballot, error) {
	path := g.below("/pulls/" + numbered(r.Number))
	reviews, err := list[hubReview](ctx, g.caller,
		asked{what: "list reviews of request " + numbered(r.Number), path: path + "/reviews"}, maxReviews)
	if err != nil {
		return ballot{}, err
	}
	commits, err := list[hubCommit](ctx, g.caller,
		asked{what: "list commits of request " + numbered(r.Number), path: path + "/commits"}, maxListed)
	if err != nil {
		return ballot{}, err
	}
	b := ballot{votes: lastWords(reviews, r.Head)}
	b.makers, b.doubts = makers(commits)
	return b, nil
}

// lastWords are what each person said last that is an approval or an objection. A remark alone changes neither.
func lastWords(reviews []hubReview, head string) []vote {
	last := map[int64]hubReview{}
	for _, r := range reviews { // GitHub lists them as they were submitted
		switch r.State {
		case "APPROVED", "CHANGES_REQUESTED", "DISMISSED":
			if was, ok := last[r.User.person().ID]; !ok || !r.SubmittedAt.Before(was.SubmittedAt) {
				last[r.User.person().ID] = r
			}
		}
	}
	var votes []vote
	for _, r := range last {
		v := vote{by: r.User.person(), at: r.SubmittedAt}
		switch {
		case r.State == "CHANGES_REQUESTED":
			v.apart = "asks for changes"
		case r.State == "DISMISSED":
			v.apart = "was dismissed"
		case r.CommitID != head:
			v.apart = fmt.Sprintf("approves of commit %.12s, and %.12s is proposed", r.CommitID, head)
		}
		votes = append(votes, v)
	}
	return votes
}

// makers are the accounts whose addresses commits bear, and why there may be others: GitHub does not say who pushed a commit, and whose
// address it bears is for its maker to choose.
func makers(commits []hubCommit) (known []Person, doubts []string) {
	var unknown []string
	for _, c := range commits {
		for _, u := range []*hubUser{c.Author, c.Committer} {
			if u == nil || u.ID == 0 {
				unknown = append(unknown, fmt.Sprintf("%.12s", c.SHA))
				continue
			}
			known = append(known, u.person())
		}
	}
	if len(unknown) > 0 {
		unknown = slices.Compact(unknown)
		doubts = append(doubts, "no account has the address that is in commit "+clip.Few(unknown, 3))
	}
	if len(commits) >= maxListed {
		doubts = append(doubts, fmt.Sprintf("it has more commits than the %d that GitHub lists", maxListed))
	}
	return known, doubts
}

func (g *github) reviewer(ctx context.Context, who Person) (string, error) {
	said, err := one[struct {
		Permission string `json:"permission"`
	}](ctx, g.caller, asked{
		what: "tell what " + who.Login + " may do", path: g.below("/collaborators/" + escaped(who.Login) + "/permission"),
	})
	if statusOf(err) == http.StatusNotFound {
		return mayNotWrite, nil
	}
	if err != nil {
		return "", err
	}
	if said.Permission != "admin" && said.Permission != "write" { // what a role of its own comes down to, maintain among them
		return mayNotWrite, nil
	}
	return "", nil
}

// mayNotWrite is why somebody's approval does not count who could say so only because the repository is public.
const mayNotWrite = "may not write to the repository"
