package plan

import (
	"fmt"
	"slices"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/identity"
	"sluice.dev/sluice/pipelines"
)

// Approvers are who may approve a stage, and for how long that counts. They are resolved when the plan is made: its hash fixes them.
type Approvers struct {
	People   []string           `json:"people,omitempty"`   // sorted; anybody where there is none
	Groups   []string           `json:"groups,omitempty"`   // of which some of them are
	Expires  pipelines.Duration `json:"expires,omitempty"`  // 0 is never
	Verified bool               `json:"verified,omitempty"` // only names that are proven count
}

// approvers resolves what a stage asks for before it starts.
func (b *builder) approvers(s *pipelines.Stage) (Approvers, int, error) {
	asks := s.Asks()
	if asks == nil {
		return Approvers{}, 0, nil
	}
	people, err := b.in.Documents.Approvers(asks)
	if err != nil {
		return Approvers{}, 0, fault.Wrap(fault.Invalid, err, "cannot say who approves it")
	}
	if least := asks.Least(); !asks.Anybody() && len(people) < least {
		return Approvers{}, 0, fault.New(fault.Invalid, "it wants %d approvals, and only %d may approve", least, len(people))
	}
	out := Approvers{People: people, Groups: asks.Groups, Verified: asks.RequireVerified}
	if asks.Expires != nil {
		out.Expires = *asks.Expires
	}
	return out, asks.Least(), nil
}

// Text says who may approve: "" for anybody.
func (a Approvers) Text() string { return a.named(a.People) }

func (a Approvers) named(people []string) string {
	if len(a.People) == 0 {
		return ""
	}
	text := clipped(people)
	switch len(a.Groups) {
	case 0:
		return text
	case 1:
		return fmt.Sprintf("%s (group %s)", text, a.Groups[0])
	}
	return fmt.Sprintf("%s (groups %s)", text, names(a.Groups))
}

// clipped lists as many names as one line of a status has room for.
func clipped(people []string) string {
	if len(people) == 0 {
		return "nobody"
	}
	return clip.Few(people, 5)
}

// Left says who may still approve, beside those who have: whoever started the run may not.
func (a Approvers) Left(starter string, have []api.Vote) string {
	gone := func(name string) bool {
		return identity.Same(name, starter) || slices.ContainsFunc(have, func(v api.Vote) bool { return identity.Same(name, v.Who) })
	}
	if len(a.People) > 0 {
		return a.named(slices.DeleteFunc(slices.Clone(a.People), gone))
	}
	not := []string{starter}
	for _, v := range have {
		not = append(not, v.Who)
	}
	return "anybody but " + clipped(not)
}

// Short says how many are short of the people whom a stage needs, where somebody starts it whose own approval does not count; "" where
// enough are left.
func (s *StagePlan) Short(starter string) string {
	a := s.Approvers
	others := slices.DeleteFunc(slices.Clone(a.People), func(name string) bool { return identity.Same(name, starter) })
	if len(a.People) == 0 || len(others) >= s.Approvals {
		return ""
	}
	return fmt.Sprintf("stage %s wants %s of %s, and whoever starts a run does not approve it: somebody else has to start it",
		s.Name, count(s.Approvals, "approval"), a.Text())
}

// refuses says why somebody's approval does not count; "" where it does.
func (a Approvers) refuses(who string) string {
	switch {
	case a.Verified && !identity.Verified(who):
		return fmt.Sprintf("only verified names count there, and nobody has proven that you are %s", who)
	case len(a.People) > 0 && !slices.ContainsFunc(a.People, func(name string) bool { return identity.Same(name, who) }):
		return fmt.Sprintf("%s may not; ask %s", who, a.Text())
	}
	return ""
}

// approvalText says what is needed before the stage starts.
func (s *StagePlan) approvalText() string {
	text := count(s.Approvals, "approval") + " of this hash before it starts"
	if who := s.Approvers.Text(); who != "" {
		text += ", by " + who
	}
	if d := s.Approvers.Expires; d > 0 {
		text += "; each counts for " + d.String()
	}
	if s.Approvers.Verified {
		text += "; only names that a server has verified count"
	}
	return text
}
