package plan_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/fault"
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
		"a group goes after the group that one of its units waits for": {
			reason: "after holds across the groups of a stage",
			in:     clusters{at("north", cluster("a", "prod", 0, "c")), at("south", cluster("c", "prod", 9))},
			stages: []pipelines.Stage{stage("all", "production", groupBy("region"))},
			want:   []string{"all/south: c", "all/north: a"},
		},
		"clusters without a value are a group of their own": {
			reason: "they must not be lost, nor mixed with others",
			in:     clusters{at("", cluster("a", "prod", 0)), at("south", cluster("c", "prod", 9))},
			stages: []pipelines.Stage{stage("all", "production", groupBy("region"))},
			want:   []string{"all/-: a", "all/south: c"},
		},
		"an empty stage is skipped with its reason": {
			reason: "R13: it must not wait for anything",
			in:     clusters{cluster("b", "prod", 1)},
			stages: []pipelines.Stage{stage("canary", "canary"), stage("e2e", "e2e"), stage("production", "production"), stage("rest", "production")},
			want: []string{
				"canary: Skipped selects no cluster: no cluster group matches environment=canary",
				"e2e: Skipped selects no cluster: there is no cluster in e2e",
				"production: b",
				"rest: Skipped selects no cluster: earlier stages take b (production)",
			},
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

func TestBuildRefuses(t *testing.T) {
	groups := []*pipelines.ClusterGroup{group("e2e", "e2e"), group("prod", "production")}
	cases := map[string]struct {
		reason string
		change func(*plan.Input)
		want   string
	}{
		"a plan without a unit": {
			reason: "R13: all stages empty is a mistake and not a success",
			change: func(in *plan.Input) { in.Pipeline.Spec.Stages = []pipelines.Stage{stage("canary", "canary")} },
			want:   "no stage has a unit: stage canary selects no cluster: no cluster group matches environment=canary",
		},
		"after a cluster of a later stage": {
			reason: "it would be waited for for ever",
			change: func(in *plan.Input) { in.Documents.Clusters["a"].Spec.After = []string{"b"} },
			want:   "cannot plan stage e2e of pipeline agent: cluster a goes after b, which neither this stage nor an earlier one takes",
		},
		"after a cluster group of a later stage": {
			reason: "it would be waited for for ever",
			change: func(in *plan.Input) { in.Documents.ClusterGroups["e2e"].Spec.After = []string{"prod"} },
			want:   "cluster group e2e goes after prod, of which neither this stage nor an earlier one takes a cluster",
		},
		"a cycle between clusters": {
			reason: "the loader refuses it; a plan must not trust that",
			change: func(in *plan.Input) {
				in.Documents.Clusters["b"].Spec.After = []string{"c"}
				in.Documents.Clusters["c"].Spec.After = []string{"b"}
			},
			want: "b goes after c goes after b goes after itself",
		},
		"groups that wait for each other": {
			reason: "groups go one after another, so neither could be first",
			change: func(in *plan.Input) {
				d := in.Documents
				d.Clusters["n1"] = at("north", cluster("n1", "prod", 1, "s1"))
				d.Clusters["s1"] = at("south", cluster("s1", "prod", 1))
				d.Clusters["n2"] = at("north", cluster("n2", "prod", 1))
				d.Clusters["s2"] = at("south", cluster("s2", "prod", 1, "n2"))
				in.Pipeline.Spec.Stages[1] = stage("production", "production", groupBy("region"))
			},
			want: "cannot order the groups by region: north goes after south goes after north goes after itself",
		},
		"a cluster of no declared group": {
			reason: "its environment would be unknown",
			change: func(in *plan.Input) { in.Documents.Clusters["a"].Spec.Group = "nowhere" },
			want:   `cannot place cluster a: no document declares its cluster group "nowhere"`,
		},
		"a narrowing to a cluster that does not exist": {
			reason: "a typing error must not become an empty run",
			change: func(in *plan.Input) { in.Only.Clusters = []string{"x"} },
			want:   "cannot narrow the plan to cluster x: no document declares it",
		},
		"a narrowing to a cluster that no stage selects": {
			reason: "what was asked for would not happen",
			change: func(in *plan.Input) {
				in.Pipeline.Spec.Stages = in.Pipeline.Spec.Stages[:1]
				in.Only.Clusters = []string{"a", "b"}
			},
			want: "cannot narrow the plan to cluster b: no stage of pipeline agent selects it",
		},
		"a stage without a selector": {
			reason: "everything is written all: true",
			change: func(in *plan.Input) { in.Pipeline.Spec.Stages[0].ClusterGroups = nil },
			want:   "clusterGroups is missing; all of them is written all: true",
		},
		"batches that do not end in 100%": {
			reason: "what is beyond the last batch would stay old",
			change: func(in *plan.Input) { in.Pipeline.Spec.Stages[0].Batches = []pipelines.Amount{pipelines.Percent(50)} },
			want:   "the last batch is 50%, not 100%: what is beyond it would stay old",
		},
		"node sets that do not end in all": {
			reason: "nodes beyond the last set would stay old",
			change: func(in *plan.Input) {
				in.Pipeline.Spec.Stages[0].NodeSets = []pipelines.NodeSet{{Selector: pipelines.Selector{MatchLabels: map[string]string{"pool": "canary"}}}}
			},
			want: "the last node set is pool-canary, not all: true: nodes beyond it would stay old",
		},
		"values that cannot be merged": {
			reason: "the cause has to reach the person",
			change: func(in *plan.Input) {
				in.Values = func(plan.Place) (string, error) { return "", fault.New(fault.Invalid, "layer x is wrong") }
			},
			want: "cannot merge the values of cluster a: layer x is wrong",
		},
		"a param that the pipeline does not have": {
			reason: "a typing error must not be ignored",
			change: func(in *plan.Input) { in.Params = []pipelines.ParamValue{{Name: "x", Value: "1"}} },
			want:   "cannot set param x: the pipeline has no such param",
		},
		"a param without a value": {
			reason: "a gate would read nothing",
			change: func(in *plan.Input) { in.Pipeline.Spec.Params = []pipelines.Param{{Name: "x"}} },
			want:   "cannot set param x: it has no default and no value was given",
		},
		"a param of another type": {
			reason: "params are typed",
			change: func(in *plan.Input) {
				in.Pipeline.Spec.Params = []pipelines.Param{{Name: "x", Type: pipelines.TypeInt}}
				in.Params = []pipelines.ParamValue{{Name: "x", Value: "1"}}
			},
			want: "cannot set param x: 1 is a string, not a int",
		},
		"weights that add up to nothing": {
			reason: "every score would be 0 divided by 0",
			change: func(in *plan.Input) {
				in.Documents.Fleet.Spec.Risk.Weights = map[string]float64{}
				for _, part := range pipelines.RiskParts() {
					in.Documents.Fleet.Spec.Risk.Weights[part] = 0
				}
			},
			want: "cannot weigh risk: the weights add up to 0",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			clusters := []*pipelines.Cluster{cluster("a", "e2e", 1), cluster("b", "prod", 1), cluster("c", "prod", 1)}
			in := input(documents(copied(groups), clusters), stage("e2e", "e2e"), stage("production", "production"))
			tc.change(&in)
			_, err := plan.Build(in)
			if err == nil {
				t.Fatalf("%s: want an error", tc.reason)
			}
			if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: got %s %q, want %q in it", tc.reason, fault.CodeOf(err), err, tc.want)
			}
		})
	}
}

func TestBuildKeepsTheCodeOfValues(t *testing.T) {
	in := input(documents([]*pipelines.ClusterGroup{group("e2e", "e2e")}, []*pipelines.Cluster{cluster("a", "e2e", 1)}), stage("all", ""))
	broken := errors.New("the disk is full")
	in.Values = func(plan.Place) (string, error) { return "", broken }
	_, err := plan.Build(in)
	if !errors.Is(err, broken) || fault.CodeOf(err) != fault.Internal {
		t.Errorf("got %s %v, want an internal fault because of %v", fault.CodeOf(err), err, broken)
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
			"no way back in 1 of 2 clusters",
		},
		{"cluster c goes after b, which this run leaves out", "the order lists x, which this stage does not take"},
		{"an earlier stage takes b (production), c (production)"},
	}
	if diff := cmp.Diff(want, [][]string{p.Notes, p.Stages[0].Notes, p.Stages[1].Notes}); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
}

// copied copies cluster groups, so that a case can change them.
func copied(groups []*pipelines.ClusterGroup) []*pipelines.ClusterGroup {
	var copies []*pipelines.ClusterGroup
	for _, g := range groups {
		c := *g
		copies = append(copies, &c)
	}
	return copies
}
