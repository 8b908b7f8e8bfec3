package forge_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/forge"
	"sluice.dev/sluice/internal/forge/forgetest"
)

// said is a review as a test reads it.
type said struct {
	Approved string   // logins
	Apart    []string // login: why
	Doubts   int
}

func (b *bench) said(t *testing.T, number int64) said {
	t.Helper()
	r, err := b.c.Review(t.Context(), number)
	if err != nil {
		t.Fatal(err)
	}
	out := said{Doubts: len(r.Doubts)}
	var logins []string
	for _, p := range r.Approved {
		if p.ID != b.Person(p.Login) {
			t.Errorf("%s has id %d, and is returned with %d", p.Login, b.Person(p.Login), p.ID)
		}
		logins = append(logins, p.Login)
	}
	out.Approved = strings.Join(logins, " ")
	for _, a := range r.Apart {
		out.Apart = append(out.Apart, a.By.Login+": "+a.Why)
	}
	return out
}

// TestWhoHasApproved goes by what both forges know.
func TestWhoHasApproved(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		reason string
		do     func(b *bench, n int64)
		want   said
	}{
		{"nobody has said anything", func(*bench, int64) {}, said{}},
		{"somebody has", func(b *bench, n int64) { b.repo.Approve(n, "bob") }, said{Approved: "bob"}},
		{"two have, one of them twice", func(b *bench, n int64) {
			b.repo.Approve(n, "zoe")
			b.repo.Approve(n, "bob")
			b.repo.Approve(n, "zoe")
			b.repo.Member("zoe", forgetest.Writer)
		}, said{Approved: "bob zoe"}},
		{"a remark takes nothing back", func(b *bench, n int64) {
			b.repo.Approve(n, "bob")
			b.repo.Remark(n, "bob")
		}, said{Approved: "bob"}},
		{"a remark approves of nothing", func(b *bench, n int64) { b.repo.Remark(n, "bob") }, said{}},
		{"the author approves of what is his", func(b *bench, n int64) { b.repo.Approve(n, "ann") }, said{Apart: []string{"ann: the author's own"}}},
		{"somebody who may only read", func(b *bench, n int64) { b.repo.Approve(n, "dora") },
			said{Apart: []string{"dora: may not write to the repository"}}},
		{"somebody who is no member of a public repository", func(b *bench, n int64) { b.repo.Approve(n, "eve") },
			said{Apart: []string{"eve: may not write to the repository"}}},
		{"somebody who has left", func(b *bench, n int64) {
			b.repo.Approve(n, "bob")
			b.repo.Member("bob", "")
		}, said{Apart: []string{"bob: may not write to the repository"}}},
		{"a program", func(b *bench, n int64) {
			b.Bot("robot")
			b.repo.Member("robot", forgetest.Writer)
			b.repo.Approve(n, "robot")
		}, said{Apart: []string{"robot: a program's approval is nobody's"}}},
		{"before it was merged", func(b *bench, n int64) {
			b.repo.Approve(n, "bob")
			b.clock.Step(time.Minute)
			b.repo.Merge(n, forgetest.Merging{By: "ann", Commit: forgetest.Commit("merge")})
		}, said{Approved: "bob"}},
		{"after it was merged", func(b *bench, n int64) {
			b.repo.Merge(n, forgetest.Merging{By: "ann", Commit: forgetest.Commit("merge")})
			b.clock.Step(time.Minute)
			b.repo.Approve(n, "bob")
		}, said{Apart: []string{"bob: given after it was merged"}}},
		{"whoever merged it has not approved of it by that", func(b *bench, n int64) {
			b.repo.Merge(n, forgetest.Merging{By: "bob", Commit: forgetest.Commit("merge")})
		}, said{}},
	} {
		for _, kind := range []forge.Kind{forge.GitHub, forge.GitLab} {
			b := newBench(t, kind)
			b.repo.Set(forgetest.Settings{NoCommitters: true})
			n := b.propose("topic")
			c.do(b, n)
			if diff := cmp.Diff(c.want, b.said(t, n)); diff != "" {
				t.Errorf("%s, at %s: -want +got\n%s", c.reason, kind, diff)
			}
		}
	}
}

// TestWhoHasApprovedAtGitHub goes by commits.
func TestWhoHasApprovedAtGitHub(t *testing.T) {
	t.Parallel()
	topic, more := fmt.Sprintf("%.12s", forgetest.Commit("topic")), fmt.Sprintf("%.12s", forgetest.Commit("more"))
	for _, c := range []struct {
		reason string
		do     func(b *bench, n int64)
		want   said
	}{
		{"it was pushed to after that", func(b *bench, n int64) {
			b.repo.Approve(n, "bob")
			b.repo.Push(n, forgetest.Commit("more"), "ann", "ann")
		}, said{Apart: []string{"bob: approves of commit " + topic + ", and " + more + " is proposed"}}},
		{"he approves of that too", func(b *bench, n int64) {
			b.repo.Approve(n, "bob")
			b.repo.Push(n, forgetest.Commit("more"), "ann", "ann")
			b.repo.Approve(n, "bob")
		}, said{Approved: "bob"}},
		{"he asks for changes after that", func(b *bench, n int64) {
			b.repo.Approve(n, "bob")
			b.repo.Object(n, "bob")
		}, said{Apart: []string{"bob: asks for changes"}}},
		{"he is content now", func(b *bench, n int64) {
			b.repo.Object(n, "bob")
			b.repo.Approve(n, "bob")
		}, said{Approved: "bob"}},
		{"his review was dismissed", func(b *bench, n int64) {
			b.repo.Approve(n, "bob")
			b.repo.Dismiss(n, "bob")
		}, said{Apart: []string{"bob: was dismissed"}}},
		{"his second review was dismissed", func(b *bench, n int64) {
			b.repo.Approve(n, "bob")
			b.clock.Step(time.Second)
			b.repo.Approve(n, "bob")
			b.repo.Dismiss(n, "bob")
		}, said{Apart: []string{"bob: was dismissed"}}},
		{"he made a commit of it", func(b *bench, n int64) {
			b.repo.Push(n, forgetest.Commit("more"), "bob", "ann")
			b.repo.Approve(n, "bob")
		}, said{Apart: []string{"bob: made a commit of it"}}},
		{"he put somebody else's commit there", func(b *bench, n int64) {
			b.repo.Push(n, forgetest.Commit("more"), "ann", "bob")
			b.repo.Approve(n, "bob")
		}, said{Apart: []string{"bob: made a commit of it"}}},
		{"nobody knows who made a commit of it", func(b *bench, n int64) {
			b.repo.Push(n, forgetest.Commit("more"), "", "ann")
			b.repo.Approve(n, "bob")
		}, said{Approved: "bob", Doubts: 1}},
		{"GitHub does not list all of its commits", func(b *bench, n int64) {
			for i := range 300 {
				b.repo.Push(n, forgetest.Commit(fmt.Sprint(i)), "ann", "ann")
			}
			b.repo.Approve(n, "bob")
		}, said{Approved: "bob", Doubts: 1}},
	} {
		b := newBench(t, forge.GitHub)
		n := b.propose("topic")
		c.do(b, n)
		if diff := cmp.Diff(c.want, b.said(t, n)); diff != "" {
			t.Errorf("%s: -want +got\n%s", c.reason, diff)
		}
	}
}

// TestWhoHasApprovedAtGitLab goes by times, and by what the project has set.
func TestWhoHasApprovedAtGitLab(t *testing.T) {
	t.Parallel()
	before := func(b *bench, n int64) {
		b.repo.Approve(n, "bob")
		b.clock.Step(time.Minute)
		b.repo.Push(n, forgetest.Commit("more"), "ann", "ann")
	}
	after := func(b *bench, n int64) {
		b.repo.Push(n, forgetest.Commit("more"), "ann", "ann")
		b.clock.Step(time.Minute)
		b.repo.Approve(n, "bob")
	}
	const timeless = "bob: GitLab does not say when it was given, and the project keeps approvals on a push"
	for _, c := range []struct {
		reason string
		set    forgetest.Settings
		do     func(b *bench, n int64)
		want   said
	}{
		{"it was pushed to after that", forgetest.Settings{NoCommitters: true}, before,
			said{Apart: []string{"bob: approved before what is proposed was pushed"}}},
		{"it was pushed to before that", forgetest.Settings{NoCommitters: true}, after, said{Approved: "bob"}},
		{"a push takes approvals back", forgetest.Settings{NoCommitters: true, ResetOnPush: true}, before, said{}},
		{"at the same moment is not after it", forgetest.Settings{NoCommitters: true}, func(b *bench, n int64) {
			b.repo.Push(n, forgetest.Commit("more"), "ann", "ann")
			b.repo.Approve(n, "bob")
		}, said{Apart: []string{"bob: approved before what is proposed was pushed"}}},
		{"he takes it back", forgetest.Settings{NoCommitters: true}, func(b *bench, n int64) {
			after(b, n)
			b.repo.Object(n, "bob")
		}, said{}},
		{"an older GitLab says no times, and keeps approvals", forgetest.Settings{NoCommitters: true, Timeless: true}, after,
			said{Apart: []string{timeless}}},
		{"an older GitLab says no times, and takes approvals back", forgetest.Settings{NoCommitters: true, Timeless: true, ResetOnPush: true}, after,
			said{Approved: "bob"}},
		{"who made a commit may approve", forgetest.Settings{}, after, said{Approved: "bob", Doubts: 1}},
		{"an edition without settings", forgetest.Settings{Free: true, NoCommitters: true}, after, said{Approved: "bob", Doubts: 1}},
		{"an older one without settings", forgetest.Settings{Free: true, Timeless: true, ResetOnPush: true}, after,
			said{Apart: []string{timeless}, Doubts: 1}},
	} {
		b := newBench(t, forge.GitLab)
		b.repo.Set(c.set)
		n := b.propose("topic")
		c.do(b, n)
		if diff := cmp.Diff(c.want, b.said(t, n)); diff != "" {
			t.Errorf("%s: -want +got\n%s", c.reason, diff)
		}
	}
}

func TestAGitLabThatDoesNotSayWhoHasApproved(t *testing.T) {
	b := newBench(t, forge.GitLab)
	n := b.propose("topic")
	b.repo.Approve(n, "bob")
	b.Break(forgetest.Fault{Path: "/approvals", Status: 404, Body: `{"error":"404 Not Found"}`})
	if diff := cmp.Diff(said{Doubts: 1}, b.said(t, n)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestMoreReviewersThanAreLookedAt(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, b *bench) {
		n := b.propose("topic")
		for i := range 51 {
			b.repo.Approve(n, fmt.Sprint("person-", i))
		}
		if _, err := b.c.Review(t.Context(), n); fault.CodeOf(err) != fault.Refused {
			t.Errorf("%v", err)
		}
		if asked := len(b.Asked()); asked > 20 {
			t.Errorf("the forge is asked %d times about them", asked)
		}
	})
}
