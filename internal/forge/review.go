package forge

import (
	"cmp"
	"context"
	"slices"
	"time"

	"sluice.dev/sluice/internal/fault"
)

// Review is what reviewers have said of a request.
type Review struct {
	Request Request
	// Approved are the people whose last word is that they approve of exactly the commit that is proposed, who may write to the repository,
	// and who are neither its author nor known to have made one of its commits. They are in the order of their logins.
	Approved []Person
	// Apart are the approvals that do not count, and the objections, with the reason of each.
	Apart []Apart
	// Doubts are why what was found may hide that somebody has approved of his own change: whoever lets a review count alone has to refuse
	// where there is one.
	Doubts []string
}

// Apart is what somebody said that does not count as an approval.
type Apart struct {
	By  Person
	Why string
}

// ballot is what has been said, before it is judged.
type ballot struct {
	votes  []vote
	makers []Person // of commits
	doubts []string
}

// vote is somebody's last word.
type vote struct {
	by    Person
	at    time.Time
	apart string // why it does not count; "" where it may
}

// maxVotes bounds about how many reviewers a forge is asked.
const maxVotes = 50

// Review returns what reviewers have said of a request. What is said after it was merged does not count, so that the answer of a merged
// request stays what it is, but for those who may no longer write.
func (r *Repository) Review(ctx context.Context, number int64) (Review, error) {
	request, err := r.api.request(ctx, number)
	if err != nil {
		return Review{}, err
	}
	b, err := r.api.ballot(ctx, request)
	if err != nil {
		return Review{}, err
	}
	if len(b.votes) > maxVotes {
		return Review{}, fault.New(fault.Refused, "cannot judge request %d of %s: more than %d people have reviewed it",
			number, r.at.Repository, maxVotes)
	}
	out := Review{Request: request, Doubts: b.doubts}
	for _, v := range b.votes {
		why, err := r.judge(ctx, request, b.makers, v)
		if err != nil {
			return Review{}, err
		}
		if why == "" {
			out.Approved = append(out.Approved, v.by)
			continue
		}
		out.Apart = append(out.Apart, Apart{By: v.by, Why: why})
	}
	slices.SortFunc(out.Approved, func(a, b Person) int { return cmp.Or(cmp.Compare(a.Login, b.Login), cmp.Compare(a.ID, b.ID)) })
	slices.SortFunc(out.Apart, func(a, b Apart) int {
		return cmp.Or(cmp.Compare(a.By.Login, b.By.Login), cmp.Compare(a.By.ID, b.By.ID))
	})
	return out, nil
}

// judge is why a vote does not count; "" where it does.
func (r *Repository) judge(ctx context.Context, of Request, makers []Person, v vote) (string, error) {
	same := func(p Person) bool { return p.ID == v.by.ID }
	switch {
	case v.apart != "":
		return v.apart, nil
	case v.by.ID == 0:
		return "the account is gone", nil
	case v.by.Bot:
		return "a program's approval is nobody's", nil
	case same(of.Author):
		return "the author's own", nil
	case slices.ContainsFunc(makers, same):
		return "made a commit of it", nil
	case of.State == Merged && !of.Merge.At.IsZero() && v.at.After(of.Merge.At):
		return "given after it was merged", nil
	}
	return r.api.reviewer(ctx, v.by)
}
