package plan_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

func TestWhoMayApproveIsFixedByThePlan(t *testing.T) {
	people := func(names ...string) *pipelines.Group {
		return &pipelines.Group{Spec: pipelines.GroupSpec{People: names}}
	}
	with := func(a *pipelines.Approval, short int, groups map[string]*pipelines.Group) plan.Input {
		in := whole()
		in.Pipeline.Spec.Stages[1].Approval, in.Pipeline.Spec.Stages[1].Approvals = a, short
		in.Documents.Groups = groups
		return in
	}
	sre := map[string]*pipelines.Group{"sre": people("cat", "ANN"), "dba": people("dan")}
	asks := &pipelines.Approval{By: []string{"ben", "ann"}, Groups: []string{"sre"}, MinApprovals: 2, Expires: new(pipelines.Duration(time.Hour))}
	p := build(t, with(asks, 0, sre))
	want := plan.Approvers{People: []string{"ann", "ben", "cat"}, Groups: []string{"sre"}, Expires: pipelines.Duration(time.Hour)}
	if diff := cmp.Diff(want, p.Stages[1].Approvers); diff != "" || p.Stages[1].Approvals != 2 {
		t.Errorf("%d of them (-want +got):\n%s", p.Stages[1].Approvals, diff)
	}
	for _, c := range []struct {
		reason string
		in     plan.Input
		same   bool
	}{
		{"a group that nobody names is no matter", with(asks, 0, map[string]*pipelines.Group{"sre": sre["sre"]}), true},
		{"who is in a group is", with(asks, 0, map[string]*pipelines.Group{"sre": people("cat", "ann", "eve")}), false},
	} {
		if same := plan.Hash(build(t, c.in)) == plan.Hash(p); same != c.same {
			t.Errorf("%s: the same hash: %v", c.reason, same)
		}
	}
	short, long := build(t, with(nil, 2, nil)), build(t, with(&pipelines.Approval{MinApprovals: 2}, 0, nil))
	if plan.Hash(short) != plan.Hash(long) {
		t.Error("approvals: 2 is short for approval: {minApprovals: 2}, and its plan is another one")
	}
	for _, c := range []struct {
		reason string
		asks   *pipelines.Approval
		want   string
	}{
		{"a group that is not there", &pipelines.Approval{Groups: []string{"sra"}}, "there is no Group sra"},
		{"more than there are", &pipelines.Approval{By: []string{"ann", "Ann"}, MinApprovals: 2}, "it wants 2 approvals, and only 1 may approve"},
	} {
		if _, err := plan.Build(with(c.asks, 0, sre)); fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.reason, err)
		}
	}
}

func TestWhoStartsARunMayLeaveTooFew(t *testing.T) {
	s := plan.StagePlan{Name: "prod", Approvals: 2, Approvers: plan.Approvers{People: []string{"ann", "ben"}}}
	if short := s.Short("Ann (unverified)"); !strings.Contains(short, "stage prod wants 2 approvals of ann, ben") {
		t.Errorf("ann starts it, and hears %q", short)
	}
	anybody := plan.StagePlan{Name: "prod", Approvals: 2}
	if short := s.Short("cat") + anybody.Short("ann"); short != "" {
		t.Errorf("enough are left, and it says %q", short)
	}
}

func TestVotesAreCounted(t *testing.T) {
	noon := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	hour := plan.Approvers{Expires: pipelines.Duration(time.Hour)}
	vote := func(a plan.Approvers, who string, after time.Duration) api.Vote {
		return a.Vote(api.Command{Who: who, Reason: strings.Repeat("x", 5000)}, noon.Add(after))
	}
	votes, twice := plan.Approve(nil, vote(hour, "ann", 0))
	if twice || len(votes[0].Reason) > 310 || !votes[0].Until.Equal(noon.Add(time.Hour)) {
		t.Errorf("ann's first is twice: %v, until %s", twice, votes[0].Until)
	}
	votes, twice = plan.Approve(votes, vote(hour, "ANN (unverified)", 30*time.Minute))
	if !twice || len(votes) != 1 {
		t.Errorf("ann's second is twice: %v, and there are %d", twice, len(votes))
	}
	votes, _ = plan.Approve(votes, vote(hour, "ben", 40*time.Minute))
	at := func(after time.Duration) int { return len(plan.StillCount(votes, noon.Add(after))) }
	if at(time.Hour) != 2 || at(90*time.Minute) != 1 || at(2*time.Hour) != 0 {
		t.Errorf("%d, %d and %d count: ann's is of half past twelve, and holds for an hour", at(time.Hour), at(90*time.Minute), at(2*time.Hour))
	}
	if next := plan.NextExpiry(votes, noon.Add(95*time.Minute)); !next.Equal(noon.Add(100 * time.Minute)) {
		t.Errorf("the next to expire does so at %s", next)
	}
	want := []string{
		"1 of 2 approvals of plan 0123456789ab", "approved by ben until 2026-01-05 13:40 UTC", "expired: ANN (unverified) at 2026-01-05 13:30 UTC",
	}
	if got := plan.Tally("0123456789abcdef", 2, hour, "ops", votes, noon.Add(95*time.Minute)); !slices.Equal(got, want) {
		t.Errorf("it says %q", got)
	}
	for i := range 50 {
		votes, _ = plan.Approve(votes, vote(hour, "p"+strings.Repeat("x", i), time.Duration(i)*time.Hour))
	}
	if len(votes) > 20 || votes[len(votes)-1].Who != "p"+strings.Repeat("x", 49) {
		t.Errorf("%d are kept, the last of %s", len(votes), votes[len(votes)-1].Who)
	}
}

func TestWhoMayStillApprove(t *testing.T) {
	have := []api.Vote{{Who: "ann (unverified)"}}
	for _, c := range []struct {
		reason string
		a      plan.Approvers
		want   string
	}{
		{"anybody else", plan.Approvers{}, "anybody but ops, ann (unverified)"},
		{"who is left of those that are named", plan.Approvers{People: []string{"ann", "ben", "ops"}, Groups: []string{"dba", "sre"}}, "ben (groups dba, sre)"},
		{"nobody", plan.Approvers{People: []string{"ann"}}, "nobody"},
	} {
		if got := c.a.Left("ops", have); got != c.want {
			t.Errorf("%s: %q", c.reason, got)
		}
	}
}
