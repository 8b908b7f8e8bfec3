package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/forge"
	"sluice.dev/sluice/internal/forge/forgetest"
	"sluice.dev/sluice/pipelines"
)

// forged is a bench whose repository is at the simulation of a forge.
type forged struct {
	*followBench
	forge *forgetest.Forge
	at    *forgetest.Repository
}

func atForge(t *testing.T, kind forge.Kind, trigger string) *forged {
	t.Helper()
	f := forgetest.New(t, kind, func() time.Time { return noon })
	at := f.Repository("team/infra")
	for _, login := range []string{"sluice", "ann", "bob", "zoe"} {
		at.Member(login, forgetest.Writer)
	}
	token := f.Token("sluice")
	b := &forged{forge: f, at: at}
	b.followBench = followsWith(t, fmt.Sprintf(", forge: {kind: %s, api: %q, repository: team/infra, token: {file: forge}, webhookSecret: {file: hook}}", kind, f.API()), trigger)
	b.Engine = b.engine(func(from pipelines.WorkerSecret) (string, error) {
		if from.File == "forge" {
			return token, nil
		}
		return "secret of " + from.File, nil
	})
	return b
}

// propose pushes a branch with a change, and opens a request for it.
func (b *forged) propose(branch, component string, fork bool) (number int64, head string) {
	b.t.Helper()
	b.repository.Git("checkout", "--quiet", "-B", branch, "main")
	head = b.commit("change "+branch, component)
	b.repository.Git("checkout", "--quiet", "main")
	return b.at.Propose(forgetest.Proposal{By: "ann", From: branch, Into: "main", Head: head, Title: branch, Fork: fork}), head
}

// shows has a request shown.
func (b *forged) shows(number int64, head string, fork bool) api.SourceRequest {
	b.t.Helper()
	said, err := b.ShowRequest(b.t.Context(), api.SourceShow{
		Source: "infra", Known: b.state.Known, KnownAt: b.state.KnownAt, Request: api.SourceRequest{Number: number, Head: head, Branch: "change", Fork: fork},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return said
}

func TestARequestGetsItsPlan(t *testing.T) {
	for _, kind := range []forge.Kind{forge.GitHub, forge.GitLab} {
		t.Run(string(kind), func(t *testing.T) {
			b := atForge(t, kind, everyMerge)
			b.round()
			number, head := b.propose("change", component("2.0.0"), false)
			looked, err := b.LookAtSource(t.Context(), api.SourceLook{Source: "infra"})
			if want := []api.SourceRequest{{Number: number, Head: head, Branch: "change"}}; err != nil || !slices.Equal(looked.Requests, want) || !looked.Listed {
				t.Fatalf("it sees %+v, %v", looked, err)
			}
			if said := b.shows(number, head, false); said.Error != "" || said.Says != "1 plan can run" {
				t.Fatalf("it says %+v", said)
			}
			comments := b.at.Comments(number)
			if len(comments) != 1 || comments[0].By != "sluice" || !strings.Contains(comments[0].Text, "This plan can run.") ||
				!strings.Contains(comments[0].Text, "2.0.0") || !strings.Contains(comments[0].Text, head[:12]) {
				t.Errorf("it has the comments %v", comments)
			}
			if s := b.at.Statuses(head); len(s) != 1 || s[0].Standing != forge.Passed || s[0].Says != "1 plan can run" {
				t.Errorf("it stands as %v", s)
			}
			if len(b.runs()) != 0 {
				t.Error("what is only proposed was started")
			}
			b.repository.Git("checkout", "--quiet", "change")
			broken := b.commit("worse", strings.Replace(component("3.0.0"), "pipeline:", "pipelin:", 1))
			b.at.Push(number, broken, "ann", "ann")
			if said := b.shows(number, broken, false); said.Error != "" || !strings.Contains(said.Says, "unknown field pipelin") {
				t.Errorf("it says %+v", said)
			}
			comments = b.at.Comments(number)
			if len(comments) != 1 || !strings.Contains(comments[0].Text, "unknown field pipelin") || strings.Contains(comments[0].Text, "This plan can run.") {
				t.Errorf("the comment is not edited: %v", comments)
			}
			if s := b.at.Statuses(broken); len(s) != 1 || s[0].Standing != forge.Failed {
				t.Errorf("it stands as %v", s)
			}
		})
	}
}

func TestWhatIsShownOfARequest(t *testing.T) {
	for name, c := range map[string]struct {
		reason    string
		component string
		fork      bool
		standing  forge.Standing
		says      string
		comment   string
	}{
		"nothing":  {"it changes a README", component("1.0.0"), false, forge.Passed, "it changes no component", "It changes no component."},
		"a fork":   {"nobody knows who sent it: it is not read", component("2.0.0"), true, forge.Pending, "from a fork: it is not read", ""},
		"no stage": {"a plan that cannot be made is said", strings.Replace(component("2.0.0"), "careful", "careless", 1), false, forge.Failed, "there is no Pipeline careless", "there is no Pipeline careless"},
	} {
		t.Run(name, func(t *testing.T) {
			b := atForge(t, forge.GitHub, everyMerge)
			b.round()
			number, head := b.propose("change", c.component, c.fork)
			if said := b.shows(number, head, c.fork); said.Error != "" || !strings.Contains(said.Says, c.says) {
				t.Errorf("%s: it says %+v", c.reason, said)
			}
			if s := b.at.Statuses(head); len(s) != 1 || s[0].Standing != c.standing {
				t.Errorf("%s: it stands as %v", c.reason, s)
			}
			comments := b.at.Comments(number)
			if c.comment == "" && len(comments) > 0 || c.comment != "" && (len(comments) != 1 || !strings.Contains(comments[0].Text, c.comment)) {
				t.Errorf("%s: it has the comments %v", c.reason, comments)
			}
		})
	}
}

// TestTwoSourcesOfOneRepositoryStandApart has one refuse what the other lets pass.
func TestTwoSourcesOfOneRepositoryStandApart(t *testing.T) {
	b := atForge(t, forge.GitHub, everyMerge)
	b.round()
	number, head := b.propose("change", strings.Replace(component("2.0.0"), "careful", "careless", 1), false)
	b.shows(number, head, false)
	b.apply("docs.yaml", fmt.Sprintf("kind: Source\nmetadata: {name: docs}\nspec: {url: %q, branch: main, paths: [fleet], "+
		"forge: {kind: github, api: %q, repository: team/infra, token: {file: forge}}}\n", b.repository.URL, b.forge.API()))
	came, err := b.FollowSource(t.Context(), api.SourceFollow{Source: "docs", Head: head})
	if err != nil || came.Known == "" {
		t.Fatalf("%+v, %v", came, err)
	}
	_, err = b.ShowRequest(t.Context(), api.SourceShow{Source: "docs", Known: came.Known, KnownAt: head, Request: api.SourceRequest{Number: number, Head: head}})
	if err != nil {
		t.Fatal(err)
	}
	stands := map[string]forge.Standing{}
	for _, s := range b.at.Statuses(head) {
		stands[s.Name] = s.Standing
	}
	if stands["sluice/plan/infra"] != forge.Failed || stands["sluice/plan/docs"] != forge.Passed {
		t.Errorf("it stands as %v", stands)
	}
}

func TestARequestIsShownAsItWouldBeRun(t *testing.T) {
	b := atForge(t, forge.GitHub, everyMerge+", pipeline: quick")
	text := strings.Replace(fleet[strings.Index(fleet, "---\napiVersion: sluice.dev/v1alpha1\nkind: Pipeline"):], "careful", "quick", 1)
	b.repository.Commit("another pipeline", map[string]string{"fleet/quick.yaml": text})
	b.round()
	number, head := b.propose("change", component("2.0.0"), false)
	if said := b.shows(number, head, false); said.Says != "1 plan can run" {
		t.Fatalf("it says %+v", said)
	}
	if all := b.at.Comments(number); len(all) != 1 || !strings.Contains(all[0].Text, "quick") || strings.Contains(all[0].Text, "careful") {
		t.Errorf("it has the comments %v", all)
	}
}

func TestAForkAtGitLabIsCommented(t *testing.T) {
	b := atForge(t, forge.GitLab, everyMerge)
	b.round()
	number, head := b.propose("change", component("2.0.0"), true)
	if said := b.shows(number, head, true); said.Error != "" || !strings.Contains(said.Says, "from a fork") {
		t.Errorf("it says %+v", said)
	}
	if all := b.at.Comments(number); len(all) != 1 || !strings.Contains(all[0].Text, "It comes from a fork, and is not read") || len(b.at.Statuses(head)) > 0 {
		t.Errorf("it has the comments %v, and %v", all, b.at.Statuses(head))
	}
}

func TestAForgeThatIsAwayIsAskedAgain(t *testing.T) {
	b := atForge(t, forge.GitHub, everyMerge)
	b.round()
	number, head := b.propose("change", component("2.0.0"), false)
	mend := b.forge.Break(forgetest.Fault{Status: 500})
	if said := b.shows(number, head, false); said.Error == "" {
		t.Errorf("it says %+v", said)
	}
	looked, err := b.LookAtSource(t.Context(), api.SourceLook{Source: "infra"})
	if err != nil || looked.Listed || looked.Head == "" || looked.Error == "" {
		t.Errorf("the repository is followed all the same: %+v, %v", looked, err)
	}
	mend()
	if said := b.shows(number, head, false); said.Error != "" {
		t.Errorf("it says %+v", said)
	}
}

func TestAForgeThatWantsToBeLeftAloneIs(t *testing.T) {
	b := atForge(t, forge.GitHub, everyMerge)
	b.round()
	mend := b.forge.Break(forgetest.Fault{Status: 429, Header: map[string]string{"Retry-After": "600"}})
	look := func() api.SourceLooked {
		t.Helper()
		looked, err := b.LookAtSource(t.Context(), api.SourceLook{Source: "infra"})
		if err != nil || looked.Head == "" {
			t.Fatalf("the repository is not looked at: %+v, %v", looked, err)
		}
		return looked
	}
	if first := look(); !strings.Contains(first.Error, "it wants to be left alone for 10m") {
		t.Errorf("it says %s", first.Error)
	}
	mend()
	asked := len(b.forge.Asked())
	number, head := b.propose("change", component("2.0.0"), false)
	if second, said := look(), b.shows(number, head, false); !strings.Contains(second.Error, "left alone until 2026-11-22T12:10:00Z") || said.Error == "" {
		t.Errorf("it says %s, and of a request %+v", second.Error, said)
	}
	if now := len(b.forge.Asked()); now != asked {
		t.Errorf("it was asked %d times all the same", now-asked)
	}
	b.clock.Step(10 * time.Minute)
	if third := look(); third.Error != "" || len(third.Requests) != 1 {
		t.Errorf("it says %+v", third)
	}
}

// unused is a document that no component is about.
const unused = "apiVersion: sluice.dev/v1alpha1\nkind: Group\nmetadata: {name: nobody}\nspec: {people: [nobody@example.com]}\n"

// TestTheReviewOfAMergeApproves has the run wait for an approval, as its pipeline asks for one.
func TestTheReviewOfAMergeApproves(t *testing.T) {
	byMerge := everyMerge + ", approve: by-merge"
	for name, c := range map[string]struct {
		reason    string
		trigger   string
		review    func(b *forged, number int64)
		merge     func(b *forged, head string) string // it returns the commit on the branch
		approvers []string
	}{
		"reviewed": {
			"bob is neither author nor committer", byMerge, func(b *forged, n int64) { b.at.Approve(n, "bob") }, nil,
			[]string{"source:infra:bob"},
		},
		"two of two": {
			"both count", byMerge + ", reviewers: 2", func(b *forged, n int64) { b.at.Approve(n, "bob"); b.at.Approve(n, "zoe") }, nil,
			[]string{"source:infra:bob", "source:infra:zoe"},
		},
		"one of two": {
			"one is missing", byMerge + ", reviewers: 2", func(b *forged, n int64) { b.at.Approve(n, "bob") }, nil, nil,
		},
		"her own": {
			"nobody reviews his own", byMerge, func(b *forged, n int64) { b.at.Approve(n, "ann") }, nil, nil,
		},
		"not asked for": {
			"people approve it", everyMerge, func(b *forged, n int64) { b.at.Approve(n, "bob") }, nil, nil,
		},
		"merged by hand with something else": {
			"the forge calls it the merge of the request, and nobody has reviewed what is in it", byMerge, func(b *forged, n int64) { b.at.Approve(n, "bob") },
			func(b *forged, head string) string {
				b.repository.Git("merge", "--quiet", "--no-ff", "--no-commit", head)
				return b.commit("merge", strings.Replace(component("2.0.0"), "interval: 30s", "interval: 1s", 1))
			}, nil,
		},
		"squashed on what others have merged": {
			"what is not as it was proposed is as it was on the branch", byMerge, func(b *forged, n int64) { b.at.Approve(n, "bob") },
			func(b *forged, head string) string {
				b.repository.Partial() // as forges are
				b.repository.Commit("of others", map[string]string{"fleet/task.yaml": unused})
				b.round()
				return b.commit("squashed", component("2.0.0"))
			}, []string{"source:infra:bob"},
		},
		"beside another commit": {
			"what came with it nobody has reviewed", byMerge, func(b *forged, n int64) { b.at.Approve(n, "bob") },
			func(b *forged, head string) string {
				b.repository.Commit("pushed past review", map[string]string{"README.md": "x"})
				b.repository.Git("merge", "--quiet", "--no-ff", "-m", "merge", head)
				return b.repository.Save("after the merge")
			}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := atForge(t, forge.GitHub, c.trigger)
			b.round()
			number, head := b.propose("change", component("2.0.0"), false)
			c.review(b, number)
			merge := c.merge
			if merge == nil {
				merge = func(b *forged, head string) string {
					b.repository.Git("merge", "--quiet", "--no-ff", "-m", "merge", head)
					b.repository.Git("push", "--quiet", "origin", "HEAD")
					return b.repository.Git("rev-parse", "HEAD")
				}
			}
			b.at.Merge(number, forgetest.Merging{By: "ann", Commit: merge(b, head)})
			b.round()
			b.says("agent 2.0.0: started as agent-1")
			r := b.state.Runs[0]
			if !slices.Equal(r.Approvers, c.approvers) {
				t.Fatalf("%s: %q approve", c.reason, r.Approvers)
			}
			if c.approvers == nil {
				return
			}
			b.temporal.answers = map[string]any{"agent-1": api.RunStatus{Name: "agent-1", Stages: []api.StageStatus{
				{Name: "all", Waiting: &api.Waiting{Kind: api.WaitApproval}, Approvals: []api.Vote{{Who: "source:infra:zoe"}}},
			}}}
			var approved []string
			b.temporal.onUpdate = func(o client.UpdateWorkflowOptions) (api.Answer, error) {
				c := o.Args[0].(api.Command)
				approved = append(approved, o.UpdateName+" by "+c.Who)
				if !c.Proven || c.Plan != r.Plan {
					b.t.Errorf("the approval is %+v", c)
				}
				return api.Answer{}, nil
			}
			b.round()
			if want := []string{"approve by source:infra:bob"}; !slices.Equal(approved, want) {
				t.Errorf("it heard %q: who has approved need not again", approved)
			}
		})
	}
}

func TestWebhooksOfASource(t *testing.T) {
	b := atForge(t, forge.GitLab, "")
	if kind, value, err := b.SourceSecret(t.Context(), "infra"); err != nil || kind != forge.GitLab || value != "secret of hook" {
		t.Errorf("its secret is %s %q, %v", kind, value, err)
	}
	if _, _, err := b.SourceSecret(context.Background(), "other"); err == nil {
		t.Error("a Source that is not there has a secret")
	}
	without := followsWith(t, "", "")
	if _, _, err := without.SourceSecret(t.Context(), "infra"); err == nil {
		t.Error("a Source without a forge has a secret")
	}
}
