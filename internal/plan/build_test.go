package plan_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

func TestBuildOrdersUnits(t *testing.T) {
	groups := []*pipelines.ClusterGroup{group("e2e", "e2e"), group("prod", "production")}
	type clusters = []*pipelines.Cluster
	cases := map[string]struct {
		reason string
		groups []*pipelines.ClusterGroup
		in     clusters
		stages []pipelines.Stage
		only   plan.Only
		want   []string
	}{
		"the least risky cluster goes first": {
			reason: "order is by risk where nothing else is said",
			in:     clusters{cluster("a", "prod", 9), cluster("b", "prod", 1), cluster("c", "prod", 5)},
			stages: []pipelines.Stage{stage("all", "production")},
			want:   []string{"all: b c a"},
		},
		"equal risk goes by name": {
			reason: "a tie must not be broken by the order of a map",
			in:     clusters{cluster("c", "prod", 1), cluster("a", "prod", 1), cluster("b", "prod", 1)},
			stages: []pipelines.Stage{stage("all", "production")},
			want:   []string{"all: a b c"},
		},
		"by name leaves risk out": {
			reason: "that is what order.by: name asks for",
			in:     clusters{cluster("a", "prod", 9), cluster("b", "prod", 1)},
			stages: []pipelines.Stage{stage("all", "production", orderBy("name"))},
			want:   []string{"all: a b"},
		},
		"an explicit list goes first and the rest follow": {
			reason: "people name the few whose order they care about",
			in:     clusters{cluster("a", "prod", 9), cluster("b", "prod", 1), cluster("c", "prod", 5), cluster("d", "prod", 2)},
			stages: []pipelines.Stage{stage("all", "production", orderBy("", "a", "c"))},
			want:   []string{"all: a c b d"},
		},
		"after wins over risk": {
			reason: "what is waited for has to end first, however risky it is",
			in:     clusters{cluster("a", "prod", 9), cluster("b", "prod", 1, "a"), cluster("c", "prod", 5)},
			stages: []pipelines.Stage{stage("all", "production")},
			want:   []string{"all: c a b"},
		},
		"after wins over an explicit list": {
			reason: "a list is a wish, a dependency is a fact",
			in:     clusters{cluster("a", "prod", 1), cluster("b", "prod", 1, "a")},
			stages: []pipelines.Stage{stage("all", "production", orderBy("", "b", "a"))},
			want:   []string{"all: a b"},
		},
		"after between cluster groups holds for all their clusters": {
			reason: "the group as a whole has to end first",
			groups: []*pipelines.ClusterGroup{group("one", "production", "two"), group("two", "production")},
			in:     clusters{cluster("a", "one", 0), cluster("b", "one", 1), cluster("c", "two", 9), cluster("d", "two", 8)},
			stages: []pipelines.Stage{stage("all", "production")},
			want:   []string{"all: d c a b"},
		},
		"after a cluster of an earlier stage is met": {
			reason: "stages go one after another",
			in:     clusters{cluster("a", "e2e", 1), cluster("b", "prod", 1, "a")},
			stages: []pipelines.Stage{stage("e2e", "e2e"), stage("production", "production")},
			want:   []string{"e2e: a", "production: b"},
		},
		"the first stage that selects a cluster takes it": {
			reason: "no cluster is moved twice in a run",
			in:     clusters{cluster("a", "e2e", 1), cluster("b", "prod", 1)},
			stages: []pipelines.Stage{stage("e2e", "e2e"), stage("rest", "")},
			want:   []string{"e2e: a", "rest: b"},
		},
		"groups go by the mean risk of their units": {
			reason: "the mean is a group's score; south has the riskiest unit and the lower mean",
			in: clusters{at("north", cluster("a", "prod", 5)), at("north", cluster("b", "prod", 5)),
				at("south", cluster("c", "prod", 7)), at("south", cluster("d", "prod", 1))},
			stages: []pipelines.Stage{stage("all", "production", groupBy("region"))},
			want:   []string{"all/south: d c", "all/north: a b"},
		},
		"a big group is not taken for a risky one": {
			reason: "the mean counts, not the sum",
			in:     clusters{at("north", cluster("a", "prod", 5)), at("north", cluster("b", "prod", 5)), at("south", cluster("c", "prod", 7))},
			stages: []pipelines.Stage{stage("all", "production", groupBy("region"))},
			want:   []string{"all/north: a b", "all/south: c"},
		},
		"groups are made by any label": {
			reason: "also one of the cluster's own",
			in:     clusters{labelled("line", "two", cluster("a", "prod", 1)), labelled("line", "one", cluster("b", "prod", 2)), labelled("line", "two", cluster("c", "prod", 0))},
			stages: []pipelines.Stage{stage("all", "production", groupBy("line"))},
			want:   []string{"all/two: c a", "all/one: b"},
		},
		"a group goes after the group that one of its units waits for": {
			reason: "after holds across the groups of a stage",
			in:     clusters{at("north", cluster("a", "prod", 0, "c")), at("south", cluster("c", "prod", 9))},
			stages: []pipelines.Stage{stage("all", "production", groupBy("region"))},
			want:   []string{"all/south: c", "all/north: a"},
		},
		"a group goes after the group in which a cluster group stands that one of its own comes after": {
			reason: "south is riskier, and yet north waits for the cluster group two, which is there",
			groups: []*pipelines.ClusterGroup{group("one", "production", "two"), group("two", "production")},
			in:     clusters{at("north", cluster("a", "one", 0)), at("south", cluster("c", "two", 9))},
			stages: []pipelines.Stage{stage("all", "production", groupBy("region"))},
			want:   []string{"all/south: c", "all/north: a"},
		},
		"clusters without a value are a group of their own": {
			reason: "they must not be lost, nor mixed with others",
			in:     clusters{at("", cluster("a", "prod", 0)), at("south", cluster("c", "prod", 9))},
			stages: []pipelines.Stage{stage("all", "production", groupBy("region"))},
			want:   []string{"all/-: a", "all/south: c"},
		},
		"an empty stage that may be is skipped with its reason": {
			reason: "R13: it must not wait for anything",
			in:     clusters{cluster("b", "prod", 1)},
			stages: mayBeEmpty(stage("canary", "canary"), stage("e2e", "e2e"), stage("production", "production"), stage("rest", "production")),
			want: []string{
				"canary: Skipped selects no cluster: no cluster group matches environment=canary",
				"e2e: Skipped selects no cluster: there is no cluster in e2e",
				"production: b",
				"rest: Skipped selects no cluster: earlier stages take b (production)",
			},
		},
		"a selector of clusters narrows the groups": {
			reason: "and the rest is there for a later stage",
			in:     clusters{cluster("a", "prod", 1), cluster("b", "prod", 2)},
			stages: mayBeEmpty(narrowed("first", "b"), narrowed("none", "x"), stage("rest", "")),
			want: []string{
				"first: b",
				"none: Skipped selects no cluster: of 2 clusters in e2e, prod none matches name in (x)",
				"rest: a",
			},
		},
		"a cluster group after one whose clusters are partly elsewhere waits for those that are here": {
			reason: "what nobody takes must not be waited for",
			groups: []*pipelines.ClusterGroup{group("one", "production", "two"), group("two", "production"), group("empty", "production")},
			in:     clusters{cluster("a", "one", 0), cluster("c", "two", 9), cluster("d", "two", 8)},
			stages: []pipelines.Stage{narrowed("some", "a", "c")},
			want:   []string{"some: c a"},
		},
		"a run narrowed to a cluster leaves the rest out": {
			reason: "the stages stay as they are, so that rules and checks are those of the place",
			in:     clusters{cluster("a", "e2e", 1), cluster("b", "prod", 1), cluster("c", "prod", 1, "b")},
			stages: []pipelines.Stage{stage("e2e", "e2e"), stage("production", "production")},
			only:   plan.Only{Clusters: []string{"c"}},
			want:   []string{"e2e: Skipped selects no cluster: the run is narrowed to c", "production: c"},
		},
		"a run narrowed to a cluster group takes all of it": {
			reason: "people name groups, too",
			in:     clusters{cluster("a", "e2e", 1), cluster("b", "prod", 1), cluster("c", "prod", 2)},
			stages: []pipelines.Stage{stage("all", "")},
			only:   plan.Only{Groups: []string{"prod"}},
			want:   []string{"all: b c"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.groups == nil {
				tc.groups = groups
			}
			in := input(documents(tc.groups, tc.in), tc.stages...)
			in.Only = tc.only
			if diff := cmp.Diff(tc.want, outline(build(t, in))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestBuildResolvesRules(t *testing.T) {
	clusters := []*pipelines.Cluster{
		cluster("a", "prod", 1), cluster("b", "prod", 1), cluster("c", "prod", 1), cluster("d", "prod", 1),
		cluster("e", "prod", 1), cluster("f", "prod", 1), cluster("g", "prod", 1),
	}
	cases := map[string]struct {
		reason                                     string
		concurrency, failures, unreachable         pipelines.Amount
		wantConcurrency, wantFailures, wantNotSeen int
	}{
		"the careful defaults": {
			reason:          "one at a time, no failure, all in reach",
			concurrency:     pipelines.Count(1),
			wantConcurrency: 1,
		},
		"percentages round down": {
			reason:      "R14: 33% of 7 is 2; of budgets, too",
			concurrency: pipelines.Percent(33), failures: pipelines.Percent(15), unreachable: pipelines.Percent(30),
			wantConcurrency: 2, wantFailures: 1, wantNotSeen: 2,
		},
		"a percentage of units is never below 1 and of a budget may be 0": {
			reason:      "a stage has to move, and need not bear a failure",
			concurrency: pipelines.Percent(5), failures: pipelines.Percent(5), unreachable: pipelines.Percent(5),
			wantConcurrency: 1,
		},
		"no concurrency still is one": {
			reason:          "nothing would ever start",
			concurrency:     pipelines.Count(0),
			wantConcurrency: 1,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := stage("all", "", func(r *pipelines.Rules) {
				r.MaxConcurrency, r.MaxFailures, r.MaxUnreachable = &tc.concurrency, &tc.failures, &tc.unreachable
			})
			got := build(t, input(documents([]*pipelines.ClusterGroup{group("prod", "production")}, clusters), s)).Stages[0]
			if got.Groups[0].MaxConcurrency != tc.wantConcurrency || got.MaxFailures != tc.wantFailures || got.MaxUnreachable != tc.wantNotSeen {
				t.Errorf("%s: got %d at once, %d failures, %d unreachable", tc.reason, got.Groups[0].MaxConcurrency, got.MaxFailures, got.MaxUnreachable)
			}
		})
	}
}

func TestNoNoteAboutEnvironmentsInOrder(t *testing.T) {
	groups := []*pipelines.ClusterGroup{group("e2e", "e2e"), group("prod", "production")}
	clusters := []*pipelines.Cluster{cluster("a", "e2e", 1), cluster("b", "prod", 1), cluster("c", "prod", 2)}
	in := input(documents(groups, clusters), stage("e2e", "e2e"), narrowed("first", "b"), stage("production", "production"))
	for name := range in.Documents.Clusters {
		in.WayBack[name] = plan.WayBack{Objects: "sha256:o"}
	}
	if got := build(t, in).Notes; len(got) > 0 {
		t.Errorf("two stages of one environment are in order; got %q", got)
	}
}

func TestBuildNotes(t *testing.T) {
	groups := []*pipelines.ClusterGroup{group("e2e", "e2e"), group("prod", "production")}
	clusters := []*pipelines.Cluster{cluster("a", "e2e", 1), cluster("b", "prod", 1), cluster("c", "prod", 2, "b")}
	in := input(documents(groups, clusters), stage("production", "production", orderBy("", "x")), stage("rest", ""))
	in.WayBack["a"] = plan.WayBack{Version: "1.4.1", Objects: "sha256:o"}
	in.Only.Clusters = []string{"c", "a"}
	p := build(t, in)
	want := [][]string{
		{
			"stage rest moves e2e after stage production has moved production, which the fleet lists later",
			"the run is narrowed to a, c",
			"nothing was recorded before in 1 of 2 clusters: they go back to what is found there",
		},
		{"cluster c goes after b, which this run leaves out", "the order lists x, which this stage does not take"},
		{"an earlier stage takes b (production), c (production)"},
	}
	if diff := cmp.Diff(want, [][]string{p.Notes, p.Stages[0].Notes, p.Stages[1].Notes}); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
}
