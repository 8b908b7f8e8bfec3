package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/identity"
)

// Vote is what somebody says to a stage at a time.
func (a Approvers) Vote(c api.Command, now time.Time) api.Vote {
	v := api.Vote{Who: c.Who, At: now, Reason: clip.Bytes(c.Reason, mostKept)}
	if a.Expires > 0 {
		v.Until = now.Add(a.Expires.Std())
	}
	return v
}

// mostKept is how much of a reason a run's status keeps; the audit has all of it.
const mostKept = 300

// Approve adds an approval. Nobody has two: a later one takes the place of that person's earlier one, and what has expired goes first where
// many come. It reports whether the same person's still counted.
func Approve(have []api.Vote, v api.Vote) (all []api.Vote, twice bool) {
	all = slices.DeleteFunc(slices.Clone(have), func(old api.Vote) bool {
		same := identity.Same(old.Who, v.Who)
		twice = twice || same && old.Counts(v.At)
		return same
	})
	if over := len(all) + 1 - mostVotes; over > 0 {
		all = slices.Delete(all, 0, over)
	}
	return append(all, v), twice
}

// mostVotes is how many approvals of a stage are kept, those that have expired too. More than may be asked for.
const mostVotes = 20

// Tally says how far the approvals of a stage are, a line each: how many of how many, by whom, and which have expired.
func Tally(hash string, need int, a Approvers, starter string, votes []api.Vote, now time.Time) []string {
	have := StillCount(votes, now)
	var by, expired []string
	for _, v := range votes {
		switch {
		case !v.Counts(now):
			expired = append(expired, fmt.Sprintf("%s at %s", v.Who, v.Until.UTC().Format(minutes)))
		case v.Until.IsZero():
			by = append(by, v.Who)
		default:
			by = append(by, fmt.Sprintf("%s until %s", v.Who, v.Until.UTC().Format(minutes)))
		}
	}
	first := fmt.Sprintf("%d of %d approvals of plan %.12s", len(have), need, hash)
	if len(a.People) > 0 {
		first += ", by " + a.Left(starter, have)
	}
	lines := []string{first}
	if len(by) > 0 {
		lines = append(lines, "approved by "+strings.Join(by, ", "))
	}
	if len(expired) > 0 {
		lines = append(lines, "expired: "+clip.Few(expired, 5))
	}
	return lines
}

const minutes = "2006-01-02 15:04 MST"

// StillCount are the approvals that count at a time.
func StillCount(votes []api.Vote, now time.Time) []api.Vote {
	return slices.DeleteFunc(slices.Clone(votes), func(v api.Vote) bool { return !v.Counts(now) })
}

// NextExpiry is when the next approval that counts expires; zero where none does.
func NextExpiry(votes []api.Vote, now time.Time) (next time.Time) {
	for _, v := range StillCount(votes, now) {
		if !v.Until.IsZero() && (next.IsZero() || v.Until.Before(next)) {
			next = v.Until
		}
	}
	return next
}
