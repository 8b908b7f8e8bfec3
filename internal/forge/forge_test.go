package forge_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	testclock "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/forge"
	"sluice.dev/sluice/internal/forge/forgetest"
)

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// bench is a forge with a repository, to which ann, bob and sluice may write, and which dora may read.
type bench struct {
	*forgetest.Forge
	clock *testclock.FakeClock
	repo  *forgetest.Repository
	c     *forge.Repository // as sluice asks
}

const infra = "acme/infra"

func newBench(t *testing.T, kind forge.Kind) *bench {
	t.Helper()
	clock := testclock.NewFakeClock(noon)
	f := forgetest.New(t, kind, clock.Now)
	b := &bench{Forge: f, clock: clock, repo: f.Repository(infra), c: f.Client(infra, "sluice")}
	for _, login := range []string{"ann", "bob", "sluice"} {
		b.repo.Member(login, forgetest.Writer)
	}
	b.repo.Member("dora", forgetest.Reader)
	return b
}

// both has a test be one of each forge.
func both(t *testing.T, do func(t *testing.T, b *bench)) {
	t.Helper()
	for _, kind := range []forge.Kind{forge.GitHub, forge.GitLab} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			do(t, newBench(t, kind))
		})
	}
}

// propose has ann propose a commit to main, and time pass.
func (b *bench) propose(branch string) int64 {
	n := b.repo.Propose(forgetest.Proposal{By: "ann", From: branch, Into: "main", Head: forgetest.Commit(branch), Title: "Change " + branch})
	b.clock.Step(time.Minute)
	return n
}

func TestPlaces(t *testing.T) {
	for _, c := range []struct {
		reason string
		at     forge.Place
		api    string // "" where there can be none
	}{
		{"GitHub's own", forge.Place{Kind: forge.GitHub, Repository: "acme/infra"}, "https://api.github.com"},
		{"GitLab's own", forge.Place{Kind: forge.GitLab, Repository: "acme/infra"}, "https://gitlab.com/api/v4"},
		{"one of an enterprise", forge.Place{Kind: forge.GitHub, Repository: "a/b", API: "https://ghe.acme.example/api/v3/"}, "https://ghe.acme.example/api/v3"},
		{"GitLab has groups in groups", forge.Place{Kind: forge.GitLab, Repository: "acme/sub/sub/infra"}, "https://gitlab.com/api/v4"},
		{"on this machine nobody listens", forge.Place{Kind: forge.GitLab, Repository: "a/b", API: "http://127.0.0.1:80"}, "http://127.0.0.1:80"},
		{"nor by its other name", forge.Place{Kind: forge.GitLab, Repository: "a/b", API: "http://[::1]:80"}, "http://[::1]:80"},
		{"in the clear the token can be read", forge.Place{Kind: forge.GitLab, Repository: "a/b", API: "http://gitlab.acme.example"}, ""},
		{"it is no URL", forge.Place{Kind: forge.GitLab, Repository: "a/b", API: "gitlab.acme.example"}, ""},
		{"it has a token in it", forge.Place{Kind: forge.GitLab, Repository: "a/b", API: "https://u:p@gitlab.acme.example"}, ""},
		{"it has a query", forge.Place{Kind: forge.GitLab, Repository: "a/b", API: "https://gitlab.acme.example?x=y"}, ""},
		{"no forge of that kind is known", forge.Place{Kind: "gitea", Repository: "a/b"}, ""},
		{"a repository has an owner", forge.Place{Kind: forge.GitHub, Repository: "infra"}, ""},
		{"GitHub has no groups in groups", forge.Place{Kind: forge.GitHub, Repository: "a/b/c"}, ""},
		{"a name climbs", forge.Place{Kind: forge.GitHub, Repository: "../user"}, ""},
		{"a name climbs further in", forge.Place{Kind: forge.GitLab, Repository: "a/../../user"}, ""},
		{"a name has a query in it", forge.Place{Kind: forge.GitHub, Repository: "a/b?c"}, ""},
		{"a name without an end", forge.Place{Kind: forge.GitLab, Repository: "a/" + strings.Repeat("b", 1000)}, ""},
	} {
		r, err := forge.New(c.at, nil)
		switch {
		case c.api == "" && fault.CodeOf(err) != fault.Invalid:
			t.Errorf("%s: %v", c.reason, err)
		case c.api != "" && (err != nil || r.Place().API != c.api):
			t.Errorf("%s: %v", c.reason, err)
		case err != nil && strings.Contains(err.Error(), "u:p") && !strings.Contains(c.reason, "token"):
			t.Errorf("%s: %v", c.reason, err)
		}
	}
}

func TestOpenRequests(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, b *bench) {
		first := b.propose("one")
		b.repo.Propose(forgetest.Proposal{By: "eve", From: "main", Into: "main", Head: forgetest.Commit("evil"), Title: "From a fork", Fork: true, Draft: true})
		b.repo.Propose(forgetest.Proposal{By: "ann", From: "two", Into: "release", Head: forgetest.Commit("two")})
		b.repo.Close(b.propose("three"))
		merged := b.propose("four")
		b.repo.Merge(merged, forgetest.Merging{By: "bob", Commit: forgetest.Commit("merge")})
		b.repo.Push(first, forgetest.Commit("more"), "ann", "ann") // and so it changed last
		all, err := b.c.List(t.Context(), "main")
		if err != nil {
			t.Fatal(err)
		}
		for i := range all {
			if !strings.HasPrefix(all[i].URL, b.URL+"/"+infra+"/") || !strings.HasSuffix(all[i].URL, fmt.Sprint("/", all[i].Number)) {
				t.Errorf("people see it at %q", all[i].URL)
			}
			all[i].URL = ""
		}
		want := []forge.Request{
			{Number: 1, Title: "Change one", Author: forge.Person{ID: b.Person("ann"), Login: "ann"}, State: forge.Opened, Into: "main",
				Head: forgetest.Commit("more"), From: "one"},
			{Number: 2, Title: "From a fork", Author: forge.Person{ID: b.Person("eve"), Login: "eve"}, State: forge.Opened, Draft: true, Into: "main",
				Head: forgetest.Commit("evil"), From: "main", Fork: true},
		}
		if diff := cmp.Diff(want, all); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		one, err := b.c.Get(t.Context(), merged)
		if err != nil || one.State != forge.Merged || one.Merge.By.Login != "bob" || one.Merge.At.IsZero() {
			t.Errorf("%+v, %v", one, err)
		}
		if _, err := b.c.Get(t.Context(), 99); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("a request that is not there: %v", err)
		}
	})
}

func TestManyRequests(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, b *bench) {
		for i := range 1000 {
			b.repo.Propose(forgetest.Proposal{By: "ann", From: fmt.Sprint("b", i), Into: "main", Head: forgetest.Commit("x")})
		}
		all, err := b.c.List(t.Context(), "main")
		numbers := map[int64]bool{}
		for _, r := range all {
			numbers[r.Number] = true
		}
		if err != nil || len(all) != 1000 || len(numbers) != 1000 {
			t.Errorf("%d requests, of which %d are different, %v", len(all), len(numbers), err)
		}
		b.propose("one more")
		if _, err := b.c.List(t.Context(), "main"); fault.CodeOf(err) != fault.Refused {
			t.Errorf("%v", err)
		}
		for _, branch := range []string{"", "a b", "a\nb", strings.Repeat("a", 300)} {
			if _, err := b.c.List(t.Context(), branch); fault.CodeOf(err) != fault.Invalid {
				t.Errorf("branch %q: %v", branch, err)
			}
		}
	})
}

func TestWhichRequestACommitCameFrom(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, b *bench) {
		merged, squashed, moved, open, elsewhere := b.propose("merged"), b.propose("squashed"), b.propose("moved"), b.propose("open"), b.propose("elsewhere")
		b.repo.Merge(merged, forgetest.Merging{By: "bob", Commit: forgetest.Commit("a merge")})
		b.repo.Merge(squashed, forgetest.Merging{By: "bob", Squash: forgetest.Commit("a squash")})
		b.repo.Merge(moved, forgetest.Merging{By: "bob"})
		b.repo.Push(open, forgetest.Commit("open too"), "ann", "ann")
		b.repo.Merge(elsewhere, forgetest.Merging{By: "bob", Commit: forgetest.Commit("a merge elsewhere")})
		for _, c := range []struct {
			reason, commit, branch string
			want                   int64 // 0 for none
		}{
			{"it was merged", forgetest.Commit("a merge"), "main", merged},
			{"it was squashed", forgetest.Commit("a squash"), "main", squashed},
			{"the branch was moved to it", forgetest.Commit("moved"), "main", moved},
			{"it was pushed", forgetest.Commit("pushed"), "main", 0},
			{"it is in a request that is open", forgetest.Commit("open"), "main", 0},
			{"it came to another branch", forgetest.Commit("a merge elsewhere"), "release", 0},
			{"it is in a request that was merged, and is not what merging made", forgetest.Commit("merged"), "main", 0},
		} {
			r, ok, err := b.c.MergeOf(t.Context(), c.commit, c.branch)
			if err != nil || ok != (c.want != 0) || r.Number != c.want {
				t.Errorf("%s: request %d, %v, %v; want %d", c.reason, r.Number, ok, err, c.want)
			}
			if ok && (r.Merge.By.Login != "bob" || r.Merge.By.ID != b.Person("bob")) {
				t.Errorf("%s: merged by %+v", c.reason, r.Merge.By)
			}
		}
		if _, _, err := b.c.MergeOf(t.Context(), "main", "main"); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("a branch is no commit: %v", err)
		}
	})
}

func TestOpenARequestOnce(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, b *bench) {
		p := forge.Proposal{From: "bump", Into: "main", Title: "Bump agent", Text: "to 1.2.3"}
		first, made, err := b.c.Open(t.Context(), p)
		if err != nil || !made || first.State != forge.Opened || first.From != "bump" || first.Title != "Bump agent" {
			t.Fatalf("%+v, %v, %v", first, made, err)
		}
		p.Title = "Bump agent again"
		again, made, err := b.c.Open(t.Context(), p)
		if err != nil || made || again.Number != first.Number || again.Title != "Bump agent" {
			t.Errorf("%+v, %v, %v", again, made, err)
		}
		b.repo.Close(first.Number)
		if next, made, err := b.c.Open(t.Context(), p); err != nil || !made || next.Number == first.Number {
			t.Errorf("after the first is closed: %+v, %v, %v", next, made, err)
		}
	})
}

func TestOpenARequestWithOthers(t *testing.T) {
	t.Parallel()
	create := map[forge.Kind]string{forge.GitHub: "/pulls", forge.GitLab: "/merge_requests"}
	both(t, func(t *testing.T, b *bench) {
		p := forge.Proposal{From: "bump", Into: "main", Title: "Bump agent"}
		b.Break(forgetest.Fault{Method: "POST", Path: create[b.Kind], Times: 1, Before: func() {
			b.repo.Propose(forgetest.Proposal{By: "ann", From: "bump", Into: "main", Head: forgetest.Commit("bump")})
		}})
		if r, made, err := b.c.Open(t.Context(), p); err != nil || made || r.Author.Login != "ann" {
			t.Errorf("somebody else was faster: %+v, %v, %v", r, made, err)
		}
		p.From = "lost"
		b.Break(forgetest.Fault{Method: "POST", Path: create[b.Kind], Times: 1, Lose: true})
		if r, _, err := b.c.Open(t.Context(), p); err != nil || r.From != "lost" {
			t.Errorf("the answer was lost: %+v, %v", r, err)
		}
		b.repo.Propose(forgetest.Proposal{By: "eve", From: "forked", Into: "main", Head: forgetest.Commit("evil"), Fork: true})
		p.From = "forked"
		if r, _, err := b.c.Open(t.Context(), p); err == nil && r.Fork {
			t.Errorf("one of a fork is taken for ours: %+v", r)
		}
		for reason, p := range map[string]forge.Proposal{
			"no title":     {From: "a", Into: "main"},
			"a long title": {From: "a", Into: "main", Title: strings.Repeat("a", 256)},
			"a long text":  {From: "a", Into: "main", Title: "a", Text: strings.Repeat("a", 70_000)},
			"no branch":    {Into: "main", Title: "a"},
		} {
			if _, _, err := b.c.Open(t.Context(), p); fault.CodeOf(err) != fault.Invalid {
				t.Errorf("%s: %v", reason, err)
			}
		}
	})
}

func TestOneComment(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, b *bench) {
		n := b.propose("topic")
		marker := forge.Marker("plan:infra")
		b.repo.Say(n, forgetest.Comment{By: "eve", Text: marker + "\nlooks like the plan"})
		b.repo.Say(n, forgetest.Comment{By: "sluice", Text: forge.Marker("plan:infra-2") + "\nanother source's"})
		b.repo.Say(n, forgetest.Comment{By: "sluice", Text: "> " + marker + "\nquotes it"})
		others := b.repo.Comments(n)
		for _, c := range []struct {
			text string
			want forge.Done
		}{{"the plan", forge.Created}, {"the plan", forge.Unchanged}, {"another plan", forge.Edited}, {"another plan\r\n", forge.Unchanged}} {
			if done, err := b.c.Comment(t.Context(), n, "plan:infra", c.text); err != nil || done != c.want {
				t.Errorf("%q is %s, want %s: %v", c.text, done, c.want, err)
			}
		}
		want := append(others, forgetest.Comment{By: "sluice", Text: marker + "\nanother plan"})
		if diff := cmp.Diff(want, b.repo.Comments(n)); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		for reason, about := range map[string]string{"nothing": "", "the end of a comment": "plan:a-->", "two dashes": "plan:a--b", "a line": "plan:a\nb"} {
			if _, err := b.c.Comment(t.Context(), n, about, "x"); fault.CodeOf(err) != fault.Invalid {
				t.Errorf("a comment about %s: %v", reason, err)
			}
		}
		most := b.Kind.MaxComment() - len(marker) - 1
		if _, err := b.c.Comment(t.Context(), n, "plan:infra", strings.Repeat("é", most)); err != nil {
			t.Errorf("as long as may be: %v", err)
		}
		if _, err := b.c.Comment(t.Context(), n, "plan:infra", strings.Repeat("é", most+1)); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("longer than may be: %v", err)
		}
	})
}

// TestOneCommentOfTwoReplicas has both see that there is none before either makes one, and many more run after that.
func TestOneCommentOfTwoReplicas(t *testing.T) {
	t.Parallel()
	path := map[forge.Kind]string{forge.GitHub: "/comments", forge.GitLab: "/notes"}
	both(t, func(t *testing.T, b *bench) {
		n := b.propose("topic")
		other := b.Client(infra, "sluice")
		b.Break(forgetest.Fault{Method: "POST", Path: path[b.Kind], Times: 1, Before: func() {
			if done, err := other.Comment(t.Context(), n, "plan:infra", "the other's"); err != nil || done != forge.Created {
				t.Errorf("%s, %v", done, err)
			}
		}})
		if done, err := b.c.Comment(t.Context(), n, "plan:infra", "the first's"); err != nil || done != forge.Created {
			t.Fatalf("%s, %v", done, err)
		}
		want := []forgetest.Comment{{By: "sluice", Text: forge.Marker("plan:infra") + "\nthe first's"}}
		if diff := cmp.Diff(want, b.repo.Comments(n)); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		n = b.propose("another")
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				_, err := b.Client(infra, "sluice").Comment(t.Context(), n, "plan:infra", fmt.Sprint(i))
				if err != nil && fault.CodeOf(err) != fault.Conflict {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if left := b.repo.Comments(n); len(left) != 1 {
			t.Errorf("eight leave %d: %v", len(left), left)
		}
	})
}

func TestACommentThatIsGoneInBetween(t *testing.T) {
	t.Parallel()
	edit := map[forge.Kind]forgetest.Fault{
		forge.GitHub: {Method: "PATCH", Path: "/comments/"}, forge.GitLab: {Method: "PUT", Path: "/notes/"},
	}
	both(t, func(t *testing.T, b *bench) {
		n := b.propose("topic")
		if _, err := b.c.Comment(t.Context(), n, "plan:infra", "a plan"); err != nil {
			t.Fatal(err)
		}
		gone := edit[b.Kind]
		gone.Times, gone.Before = 1, func() { b.repo.Unsay(n) }
		b.Break(gone)
		if done, err := b.c.Comment(t.Context(), n, "plan:infra", "another plan"); err != nil || done != forge.Created {
			t.Errorf("%s, %v", done, err)
		}
		want := []forgetest.Comment{{By: "sluice", Text: forge.Marker("plan:infra") + "\nanother plan"}}
		if diff := cmp.Diff(want, b.repo.Comments(n)); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

func TestACommentAmongMany(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, b *bench) {
		n := b.propose("topic")
		for range 130 {
			b.repo.Say(n, forgetest.Comment{By: "ann", Text: "me too"})
		}
		for _, want := range []forge.Done{forge.Created, forge.Unchanged} {
			if done, err := b.c.Comment(t.Context(), n, "plan:infra", "a plan"); err != nil || done != want {
				t.Errorf("%s, want %s: %v", done, want, err)
			}
		}
		if all := b.repo.Comments(n); len(all) != 131 {
			t.Errorf("%d comments", len(all))
		}
	})
}

// TestTheAccountOfAnApp is asked in another way, or named: GitHub's REST API does not say it to an app.
func TestTheAccountOfAnApp(t *testing.T) {
	b := newBench(t, forge.GitHub)
	n := b.propose("topic")
	b.Bot("sluice[bot]")
	b.repo.Member("sluice[bot]", forgetest.Writer)
	app := b.Client(infra, "sluice[bot]")
	for _, want := range []forge.Done{forge.Created, forge.Unchanged} {
		if done, err := app.Comment(t.Context(), n, "plan:infra", "a plan"); err != nil || done != want {
			t.Errorf("%s, want %s: %v", done, want, err)
		}
	}
	b.Break(forgetest.Fault{Path: "/graphql", Status: http.StatusOK, Body: `{"data":null,"errors":[{"type":"FORBIDDEN"}]}`})
	if _, err := app.Comment(t.Context(), n, "plan:infra", "a plan"); fault.CodeOf(err) != fault.Unauthorized ||
		!strings.Contains(err.Error(), "name its account") {
		t.Errorf("it is not said either: %v", err)
	}
	at, token := b.Place(infra), b.Token("sluice[bot]")
	at.Account = "Sluice[bot]" // logins are the same in either case
	named, err := forge.New(at, func(context.Context) (string, error) { return token, nil })
	if err != nil {
		t.Fatal(err)
	}
	if done, err := named.Comment(t.Context(), n, "plan:infra", "a plan"); err != nil || done != forge.Unchanged {
		t.Errorf("%s, %v", done, err)
	}
}

// TestGraphQLOfAnEnterprise stands beside its REST API.
func TestGraphQLOfAnEnterprise(t *testing.T) {
	asked := make(chan string, 10)
	enterprise := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Path
		w.WriteHeader(http.StatusForbidden)
	}))
	defer enterprise.Close()
	c, err := forge.New(forge.Place{Kind: forge.GitHub, API: enterprise.URL + "/api/v3", Repository: infra},
		func(context.Context) (string, error) { return "token", nil })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Comment(t.Context(), 1, "plan:a", "x"); fault.CodeOf(err) != fault.Unauthorized {
		t.Errorf("%v", err)
	}
	if rest, graph := <-asked, <-asked; rest != "/api/v3/user" || graph != "/api/graphql" {
		t.Errorf("%s and %s are asked", rest, graph)
	}
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, b *bench) {
		commit := forgetest.Commit("a")
		long := strings.Repeat("é", 300)
		most := map[forge.Kind]int{forge.GitHub: 140, forge.GitLab: 255}[b.Kind]
		for _, c := range []struct {
			reason string
			set    forge.Status
			want   forge.Done
		}{
			{"the first", forge.Status{Standing: forge.Pending, Says: "planning", URL: "https://sluice.example/p/1"}, forge.Created},
			{"the same", forge.Status{Standing: forge.Pending, Says: "planning", URL: "https://sluice.example/p/1"}, forge.Unchanged},
			{"it is done", forge.Status{Standing: forge.Passed, Says: "3 clusters", URL: "https://sluice.example/p/1"}, forge.Edited},
			{"the same", forge.Status{Standing: forge.Passed, Says: "3 clusters", URL: "https://sluice.example/p/1"}, forge.Unchanged},
			{"another fleet", forge.Status{Standing: forge.Failed, Says: "refused"}, forge.Edited},
			{"another name", forge.Status{Name: "sluice/lint", Standing: forge.Passed}, forge.Created},
			{"more than the forge takes", forge.Status{Standing: forge.Failed, Says: long}, forge.Edited},
			{"more than the forge takes, again", forge.Status{Standing: forge.Failed, Says: long}, forge.Unchanged},
			{"it could not be looked at", forge.Status{Name: "sluice/lint", Standing: forge.Errored}, forge.Edited},
			{"it still could not", forge.Status{Name: "sluice/lint", Standing: forge.Errored}, forge.Unchanged},
		} {
			if done, err := b.c.SetStatus(t.Context(), commit, c.set); err != nil || done != c.want {
				t.Errorf("%s: %s, want %s: %v", c.reason, done, c.want, err)
			}
		}
		errored := map[forge.Kind]forge.Standing{forge.GitHub: forge.Errored, forge.GitLab: forge.Failed}[b.Kind]
		want := []forge.Status{
			{Name: "sluice/plan", Standing: forge.Failed, Says: strings.Repeat("é", most-3) + "..."},
			{Name: "sluice/lint", Standing: errored},
		}
		got := b.repo.Statuses(commit)
		slices.SortFunc(got, func(x, y forge.Status) int { return strings.Compare(y.Name, x.Name) })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		for reason, s := range map[string]forge.Status{
			"no way to stand": {Standing: "fine"}, "an address without a scheme": {Standing: forge.Passed, URL: "sluice.example"},
			"a script": {Standing: forge.Passed, URL: "javascript:alert(1)"}, "a long address": {Standing: forge.Passed, URL: "https://a.b/" + long},
			"a long name": {Standing: forge.Passed, Name: long},
		} {
			if _, err := b.c.SetStatus(t.Context(), commit, s); fault.CodeOf(err) != fault.Invalid {
				t.Errorf("%s: %v", reason, err)
			}
		}
		if _, err := b.c.SetStatus(t.Context(), "main", forge.Status{Standing: forge.Passed}); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("a branch is no commit: %v", err)
		}
	})
}

// TestStatusesOfBranches is what GitLab has: of one commit there is one of each branch.
func TestStatusesOfBranches(t *testing.T) {
	b, commit := newBench(t, forge.GitLab), forgetest.Commit("a")
	for _, c := range []struct {
		branch string
		want   forge.Done
	}{{"topic", forge.Created}, {"other", forge.Created}, {"topic", forge.Unchanged}, {"other", forge.Unchanged}} {
		if done, err := b.c.SetStatus(t.Context(), commit, forge.Status{Standing: forge.Passed, Branch: c.branch}); err != nil || done != c.want {
			t.Errorf("of %s: %s, want %s: %v", c.branch, done, c.want, err)
		}
	}
	if _, err := b.c.SetStatus(t.Context(), commit, forge.Status{Standing: forge.Passed, Branch: "a\nb"}); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("%v", err)
	}
	b.repo.Propose(forgetest.Proposal{By: "eve", From: "main", Into: "main", Head: forgetest.Commit("evil"), Fork: true})
	if _, err := b.c.SetStatus(t.Context(), forgetest.Commit("evil"), forge.Status{Standing: forge.Passed}); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("a commit that is only in a fork: %v", err)
	}
}

// TestPendingWithOtherWords is what GitLab refuses: a status goes from one standing to another.
func TestPendingWithOtherWords(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		commit := forgetest.Commit("a")
		for _, says := range []string{"planning", "planning still"} {
			if _, err := b.c.SetStatus(t.Context(), commit, forge.Status{Standing: forge.Pending, Says: says}); err != nil {
				t.Errorf("%s: %v", says, err)
			}
		}
		if got := b.repo.Statuses(commit); len(got) != 1 || got[0].Standing != forge.Pending {
			t.Errorf("%+v", got)
		}
	})
}

func TestManyStatuses(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		commit := forgetest.Commit("a")
		for i := range 120 {
			if _, err := b.c.SetStatus(t.Context(), commit, forge.Status{Name: fmt.Sprint("other/", i), Standing: forge.Passed}); err != nil {
				t.Fatal(err)
			}
		}
		for _, want := range []forge.Done{forge.Created, forge.Unchanged} {
			if done, err := b.c.SetStatus(t.Context(), commit, forge.Status{Standing: forge.Passed}); err != nil || done != want {
				t.Errorf("%s, want %s: %v", done, want, err)
			}
		}
	})
}

// asks are all that a forge is asked.
func asks(n int64) map[string]func(context.Context, *forge.Repository) error {
	commit := forgetest.Commit("a")
	return map[string]func(context.Context, *forge.Repository) error{
		"list":   func(ctx context.Context, r *forge.Repository) error { _, err := r.List(ctx, "main"); return err },
		"get":    func(ctx context.Context, r *forge.Repository) error { _, err := r.Get(ctx, n); return err },
		"review": func(ctx context.Context, r *forge.Repository) error { _, err := r.Review(ctx, n); return err },
		"merge": func(ctx context.Context, r *forge.Repository) error {
			_, _, err := r.MergeOf(ctx, commit, "main")
			return err
		},
		"comment": func(ctx context.Context, r *forge.Repository) error {
			_, err := r.Comment(ctx, n, "plan:a", "x")
			return err
		},
		"status": func(ctx context.Context, r *forge.Repository) error {
			_, err := r.SetStatus(ctx, commit, forge.Status{Standing: forge.Passed})
			return err
		},
		"open": func(ctx context.Context, r *forge.Repository) error {
			_, _, err := r.Open(ctx, forge.Proposal{From: "a", Into: "main", Title: "a"})
			return err
		},
	}
}

// TestWhatAForgeRefuses asks everything of a forge that refuses: what is said has the forge and the repository in it, and no token.
func TestWhatAForgeRefuses(t *testing.T) {
	t.Parallel()
	type later = time.Duration
	both(t, func(t *testing.T, b *bench) {
		n := b.propose("topic")
		token := b.Token("sluice")
		c, err := forge.New(b.Place(infra), func(context.Context) (string, error) { return token, nil })
		if err != nil {
			t.Fatal(err)
		}
		date := noon.Add(time.Minute)
		for _, of := range []struct {
			reason string
			with   forgetest.Fault
			code   fault.Code
			after  later
		}{
			{"the token is not accepted", forgetest.Fault{Status: 401, Body: `{"message":"nobody is ` + token + `"}`}, fault.Unauthorized, 0},
			{"the token may not", forgetest.Fault{Status: 403, Body: `{"message":"Resource not accessible"}`}, fault.Unauthorized, 0},
			{"it is not there", forgetest.Fault{Status: 404, Body: `{"message":"Not Found"}`}, fault.NotFound, 0},
			{"it was moved, and a token goes nowhere else", forgetest.Fault{Status: 301, Header: map[string]string{"Location": "https://elsewhere.example/"}},
				fault.Refused, 0},
			{"what is asked is wrong", forgetest.Fault{Status: 422, Body: `{"message":"Validation Failed"}`}, fault.Invalid, 0},
			{"the forge is broken", forgetest.Fault{Status: 500, Body: "<html>" + strings.Repeat("x", 1<<20)}, fault.Unreachable, 0},
			{"the forge is mended", forgetest.Fault{Status: 503, Header: map[string]string{"Retry-After": "120"}}, fault.Unreachable, 2 * time.Minute},
			{"it is asked too much", forgetest.Fault{Status: 429, Header: map[string]string{"Retry-After": "30"}}, fault.Unreachable, 30 * time.Second},
			{"until a time", forgetest.Fault{Status: 429, Header: map[string]string{"Retry-After": date.Add(time.Hour).Format(http.TimeFormat)}},
				fault.Unreachable, time.Hour},
			{"until the hour is over, as GitHub says it", forgetest.Fault{Status: 403, Body: `{"message":"API rate limit exceeded"}`,
				Header: map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": fmt.Sprint(date.Add(40 * time.Minute).Unix())}},
				fault.Unreachable, 40 * time.Minute},
			{"until then, as GitLab says it", forgetest.Fault{Status: 429,
				Header: map[string]string{"RateLimit-Remaining": "0", "RateLimit-Reset": fmt.Sprint(date.Add(time.Minute).Unix())}},
				fault.Unreachable, time.Minute},
			{"it is over by now", forgetest.Fault{Status: 429,
				Header: map[string]string{"RateLimit-Remaining": "0", "RateLimit-Reset": fmt.Sprint(noon.Unix())}}, fault.Unreachable, time.Second},
			{"it is asked too much at once, as GitHub says it", forgetest.Fault{Status: 403, Header: map[string]string{"Retry-After": "60"}},
				fault.Unreachable, time.Minute},
			{"nothing is left of the hour, and it says no more", forgetest.Fault{Status: 403, Header: map[string]string{"X-RateLimit-Remaining": "0"}},
				fault.Unreachable, time.Minute},
			{"something is left of the hour: the token may not", forgetest.Fault{Status: 403, Header: map[string]string{"X-RateLimit-Remaining": "7"}},
				fault.Unauthorized, 0},
			{"nobody says for how long", forgetest.Fault{Status: 403, Body: `{"message":"You have exceeded a secondary rate limit."}`},
				fault.Unreachable, time.Minute},
			{"for longer than can be", forgetest.Fault{Status: 429, Header: map[string]string{"Retry-After": "99999999999"}}, fault.Unreachable, 6 * time.Hour},
			{"it answers no JSON", forgetest.Fault{Status: 200, Body: "<html>Log in first</html>"}, fault.Unreachable, 0},
			{"it answers half of it", forgetest.Fault{Status: 200, Body: `[{"id":`}, fault.Unreachable, 0},
			{"it answers nothing", forgetest.Fault{Status: 200}, fault.Unreachable, 0},
		} {
			mend := b.Break(of.with)
			for name, ask := range asks(n) {
				err := ask(t.Context(), c)
				if got := fault.CodeOf(err); got != of.code {
					t.Errorf("%s: %s is %q, want %q: %v", of.reason, name, got, of.code, err)
					continue
				}
				if !strings.Contains(err.Error(), infra) || !strings.Contains(err.Error(), string(b.Kind)) {
					t.Errorf("%s: %s does not say where: %v", of.reason, name, err)
				}
				if strings.Contains(err.Error(), token) || len(err.Error()) > 700 || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s: %s says %v", of.reason, name, err)
				}
				var l *forge.Later
				if errors.As(err, &l) != (of.after > 0) || l != nil && l.After != of.after {
					t.Errorf("%s: %s has it be asked again after %v, want %s: %v", of.reason, name, l, of.after, err)
				}
			}
			mend()
		}
		for name, ask := range asks(n) {
			if err := ask(t.Context(), c); err != nil {
				t.Errorf("%s, of a forge that is well: %v", name, err)
			}
		}
		b.Revoke(token)
		for name, ask := range asks(n) {
			if err := ask(t.Context(), c); fault.CodeOf(err) != fault.Unauthorized {
				t.Errorf("%s, with a token that was revoked: %v", name, err)
			}
		}
	})
}

func TestAForgeThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, b *bench) {
		n := b.propose("topic")
		at := b.Place(infra)
		at.Within = 50 * time.Millisecond
		token := b.Token("sluice")
		c, err := forge.New(at, func(context.Context) (string, error) { return token, nil })
		if err != nil {
			t.Fatal(err)
		}
		b.Break(forgetest.Fault{Hang: true})
		for name, ask := range asks(n) {
			began := time.Now()
			if err := ask(t.Context(), c); fault.CodeOf(err) != fault.Unreachable || !strings.Contains(err.Error(), "in time") {
				t.Errorf("%s: %v", name, err)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("%s waits for %s", name, took)
			}
		}
		ctx, leave := context.WithCancel(t.Context())
		leave()
		if _, err := c.List(ctx, "main"); !errors.Is(err, context.Canceled) {
			t.Errorf("nobody waits any more: %v", err)
		}
		nobody, err := forge.New(forge.Place{Kind: b.Kind, Repository: infra, API: "http://127.0.0.1:1"}, func(context.Context) (string, error) { return token, nil })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nobody.List(t.Context(), "main"); fault.CodeOf(err) != fault.Unreachable || strings.Contains(err.Error(), token) {
			t.Errorf("nobody listens there: %v", err)
		}
	})
}

func TestTokensThatAreNone(t *testing.T) {
	b := newBench(t, forge.GitHub)
	missing := fault.New(fault.NotFound, "SLUICE_SECRET_FORGE is not set here")
	for reason, c := range map[string]struct {
		token string
		err   error
		code  fault.Code
	}{
		"it is not there":          {"", missing, fault.NotFound},
		"it is empty":              {"", nil, fault.Unauthorized},
		"it has a line in it":      {"tok\r\nX-Evil: 1", nil, fault.Unauthorized},
		"it has others than bytes": {"tökén", nil, fault.Unauthorized},
	} {
		r, err := forge.New(b.Place(infra), func(context.Context) (string, error) { return c.token, c.err })
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.List(t.Context(), "main")
		if fault.CodeOf(err) != c.code || c.token != "" && strings.Contains(err.Error(), c.token) {
			t.Errorf("%s: %v", reason, err)
		}
	}
	if n := len(b.Asked()); n != 0 {
		t.Errorf("the forge is asked %d times", n)
	}
}

// TestAnAnswerWithoutAnEnd is read until a bound.
func TestAnAnswerWithoutAnEnd(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		b.propose("topic")
		at := b.Place(infra)
		at.Within = time.Minute
		c, err := forge.New(at, func(context.Context) (string, error) { return "token", nil })
		if err != nil {
			t.Fatal(err)
		}
		b.Break(forgetest.Fault{Path: "/pulls", Status: 200, Body: `[{"body":"` + strings.Repeat("x", 65<<20) + `"}]`})
		b.Break(forgetest.Fault{Path: "/merge_requests", Status: 200, Body: `[{"description":"` + strings.Repeat("x", 65<<20) + `"}]`})
		if _, err := c.List(t.Context(), "main"); fault.CodeOf(err) != fault.Refused || !strings.Contains(err.Error(), "larger") {
			t.Errorf("%v", err)
		}
	})
}
