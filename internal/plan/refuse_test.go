package plan_test

import (
	"errors"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

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
		"after a cluster that nobody declares": {
			reason: "the loader refuses it; a plan must not trust that",
			change: func(in *plan.Input) { in.Documents.Clusters["a"].Spec.After = []string{"x"} },
			want:   "cluster a goes after x, which no document declares",
		},
		"after a cluster group that nobody declares": {
			reason: "the loader refuses it; a plan must not trust that",
			change: func(in *plan.Input) { in.Documents.ClusterGroups["e2e"].Spec.After = []string{"x"} },
			want:   "cluster group e2e goes after x, which no document declares",
		},
		"a template without a digest": {
			reason: "the hash would not cover what is rendered",
			change: func(in *plan.Input) { in.Template = "" },
			want:   "cannot plan component node-agent: its template has no digest",
		},
		"a pipeline without stages": {
			reason: "it would move nothing",
			change: func(in *plan.Input) { in.Pipeline.Spec.Stages = nil },
			want:   "cannot plan with pipeline agent: it has no stages",
		},
		"an order by what nobody knows": {
			reason: "a typing error must not become an order by risk",
			change: func(in *plan.Input) { in.Pipeline.Spec.Stages[0].Order = &pipelines.Order{By: "luck"} },
			want:   `order is by "luck", not by risk or name`,
		},
		"a user grade beyond the scale": {
			reason: "the score would leave its scale",
			change: func(in *plan.Input) { in.Documents.Clusters["a"].Spec.UserGrade = 11 },
			want:   "cannot score cluster a: userGrade is 11, not 0 to 10",
		},
		"a check whose task nobody declares": {
			reason: "a check that cannot run is not a pass",
			change: func(in *plan.Input) {
				in.Pipeline.Spec.Defaults.Checks = []pipelines.Check{{TaskRef: &pipelines.TaskRef{Name: "x"}}}
			},
			want: "cannot resolve its checks: cannot resolve check x of stage e2e: there is no Task x",
		},
		"a weight below nothing": {
			reason: "danger would make a cluster go first",
			change: func(in *plan.Input) { in.Documents.Fleet.Spec.Risk.Weights = map[string]float64{"size": -1} },
			want:   "cannot weigh risk: the weight of size is -1; it must be 0 or more",
		},
		"a weight of what is no part of a score": {
			reason: "a typing error must not be ignored",
			change: func(in *plan.Input) { in.Documents.Fleet.Spec.Risk.Weights = map[string]float64{"sise": 1} },
			want:   "cannot weigh risk: no part of a score is called sise",
		},
		"a param that is given twice": {
			reason: "which one counts would be chance",
			change: func(in *plan.Input) {
				in.Pipeline.Spec.Params = []pipelines.Param{{Name: "x"}}
				in.Params = []pipelines.ParamValue{{Name: "x", Value: "1"}, {Name: "x", Value: "2"}}
			},
			want: "cannot set param x: it is given twice",
		},
		"a narrowing to a cluster group that nobody declares": {
			reason: "a typing error must not become an empty run",
			change: func(in *plan.Input) { in.Only.Groups = []string{"x"} },
			want:   "cannot narrow the plan to cluster group x: no document declares it",
		},
		"a narrowing to a cluster group that no stage selects": {
			reason: "what was asked for would not happen",
			change: func(in *plan.Input) {
				in.Pipeline.Spec.Stages = in.Pipeline.Spec.Stages[:1]
				in.Only = plan.Only{Clusters: []string{"a"}, Groups: []string{"prod"}}
			},
			want: "cannot narrow the plan to cluster group prod: no stage of pipeline agent selects a cluster of it",
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
				in.Values = func(pipelines.Place) (string, error) { return "", fault.New(fault.Invalid, "layer x is wrong") }
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
	in.Values = func(pipelines.Place) (string, error) { return "", broken }
	_, err := plan.Build(in)
	if !errors.Is(err, broken) || fault.CodeOf(err) != fault.Internal {
		t.Errorf("got %s %v, want an internal fault because of %v", fault.CodeOf(err), err, broken)
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
