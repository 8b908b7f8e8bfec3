package plan_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

func TestFailureMode_R13_AStageEmptiedByATypoIsRefused(t *testing.T) {
	groups := []*pipelines.ClusterGroup{group("canary", "canary"), group("prod", "production")}
	in := input(documents(groups, []*pipelines.Cluster{cluster("a", "canary", 1), cluster("b", "prod", 1)}), stage("canary", "canry"), stage("production", "production"))
	in.Pipeline.Spec.Stages[0].Approvals = 2
	in.Pipeline.Spec.Stages[0].Position = pipelines.Position{File: "agent.yaml", Line: 7, Column: 3}
	for name, narrow := range map[string]plan.Only{"whole": {}, "narrowed to production": {Clusters: []string{"b"}}} {
		in.Only = narrow
		p, err := plan.Build(in)
		if err == nil {
			t.Fatalf("%s: production follows a stage with approvals that nobody meant to skip: %v", name, outline(p))
		}
		if fault.CodeOf(err) != fault.Refused {
			t.Errorf("%s: code %s, want refused", name, fault.CodeOf(err))
		}
		for _, words := range []string{
			"empty-stage: stage canary selects no cluster: no cluster group matches environment=canry",
			"did you mean canary?", "(agent.yaml:7:3)", "mayBeEmpty: true",
		} {
			if !strings.Contains(err.Error(), words) {
				t.Errorf("%s: it does not say %q: %v", name, words, err)
			}
		}
	}
}

func TestAValueThatNoClusterHasIsNoted(t *testing.T) {
	groups := []*pipelines.ClusterGroup{group("canary", "canary"), group("prod", "production")}
	early := stage("early", "")
	early.ClusterGroups = &pipelines.Selector{MatchExpressions: []pipelines.SelectorRequirement{
		{Key: "environment", Operator: pipelines.OpIn, Values: []string{"canary", "prodution"}},
	}}
	in := input(documents(groups, []*pipelines.Cluster{cluster("a", "canary", 1), cluster("b", "prod", 1)}), early, stage("rest", ""))
	want := "no cluster group has environment prodution: did you mean production?"
	if notes := build(t, in).Stages[0].Notes; !slices.Contains(notes, want) {
		t.Errorf("the stage selects less than was meant, and its notes are %q", notes)
	}
}

// passedIn are the targets of an input that have passed in some clusters.
func passedIn(t *testing.T, in plan.Input, clusters ...string) map[string]string {
	t.Helper()
	in.Only, in.Exclude = plan.Only{}, plan.Only{}
	passed := map[string]string{}
	p := build(t, in)
	for _, name := range clusters {
		u, _, there := p.Unit(name)
		if !there {
			t.Fatalf("the plan has no cluster %s", name)
		}
		passed[name] = u.Target
	}
	return passed
}

func TestBypasses(t *testing.T) {
	named := func(names ...string) plan.Only { return plan.Only{Clusters: names} }
	for name, tc := range map[string]struct {
		reason        string
		only, exclude plan.Only
		passed        []string
		want          []plan.Bypass
	}{
		"the whole pipeline": {
			reason: "nothing is left out",
		},
		"only the last stage": {
			reason: "both stages before it were to come first",
			only:   plan.Only{Groups: []string{"prod"}},
			want:   []plan.Bypass{{Stage: "e2e", Clusters: []string{"a"}, Whole: true}, {Stage: "canary", Clusters: []string{"b", "c"}, Whole: true}},
		},
		"only the last stage, and this version has passed the others": {
			reason: "it goes on where another run stopped",
			only:   plan.Only{Groups: []string{"prod"}},
			passed: []string{"a", "b", "c"},
		},
		"a stage that has passed in part": {
			reason: "a canary that was half done proves half",
			only:   named("d"), passed: []string{"a", "b"},
			want: []plan.Bypass{{Stage: "canary", Clusters: []string{"c"}, Whole: true}},
		},
		"without a stage": {
			reason:  "leaving out is as good a way past it",
			exclude: plan.Only{Groups: []string{"canary"}},
			want:    []plan.Bypass{{Stage: "canary", Clusters: []string{"b", "c"}, Whole: true}},
		},
		"without one cluster of a stage": {
			reason:  "the stage proves less than the pipeline asks for",
			exclude: named("c"),
			want:    []plan.Bypass{{Stage: "canary", Clusters: []string{"c"}}},
		},
		"without one cluster of the last stage": {
			reason:  "nothing comes after it",
			exclude: named("d"),
		},
		"only the first stages": {
			reason: "what comes later is not bypassed",
			only:   plan.Only{Groups: []string{"e2e", "canary"}},
		},
		"only, and without a part of it": {
			reason: "both narrow",
			only:   plan.Only{Groups: []string{"canary", "prod"}}, exclude: named("b"), passed: []string{"a"},
			want: []plan.Bypass{{Stage: "canary", Clusters: []string{"b"}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			groups := []*pipelines.ClusterGroup{group("e2e", "e2e"), group("canary", "canary"), group("prod", "production")}
			clusters := []*pipelines.Cluster{cluster("a", "e2e", 1), cluster("b", "canary", 1), cluster("c", "canary", 2), cluster("d", "prod", 1), cluster("e", "prod", 2)}
			in := input(documents(groups, clusters), stage("e2e", "e2e"), stage("canary", "canary"), stage("production", "production"))
			in.Passed = passedIn(t, in, tc.passed...)
			in.Only, in.Exclude = tc.only, tc.exclude
			got := build(t, in)
			if diff := cmp.Diff(tc.want, got.Bypasses); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			var text strings.Builder
			if err := plan.Render(&text, got, nil, plan.RenderOptions{}); err != nil {
				t.Fatal(err)
			}
			head, _, _ := strings.Cut(text.String(), "\nstage 1 ")
			for _, b := range tc.want {
				if !strings.Contains(head, "bypass: stage "+b.Stage+" ") || !strings.Contains(head, "--reason") {
					t.Errorf("the head does not say that %s is bypassed:\n%s", b.Stage, head)
				}
			}
		})
	}
}

func TestAnotherVersionHasNotPassed(t *testing.T) {
	groups := []*pipelines.ClusterGroup{group("e2e", "e2e"), group("prod", "production")}
	in := input(documents(groups, []*pipelines.Cluster{cluster("a", "e2e", 1), cluster("b", "prod", 1)}), stage("e2e", "e2e"), stage("production", "production"))
	in.Passed = passedIn(t, in, "a")
	in.Only = plan.Only{Clusters: []string{"b"}}
	if p := build(t, in); len(p.Bypasses) > 0 {
		t.Errorf("this version has passed: %+v", p.Bypasses)
	}
	in.Component.Spec.Version, in.Reason = "1.4.3", "a fix"
	p := build(t, in)
	if len(p.Bypasses) != 1 || p.BypassReason() != "a fix" {
		t.Errorf("1.4.2 has passed, 1.4.3 has not: %+v", p.Bypasses)
	}
	in.Reason = ""
	if plan.Hash(p) == plan.Hash(build(t, in)) {
		t.Error("who approves the hash approves the reason; the hash does not cover it")
	}
}
