package plan_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

// scored plans one cluster and returns its unit.
func scored(t testing.TB, change func(*plan.Input, *pipelines.Cluster, *pipelines.ClusterGroup)) plan.Unit {
	t.Helper()
	c, g := cluster("a", "prod", 5), group("prod", "production")
	in := input(documents([]*pipelines.ClusterGroup{g}, []*pipelines.Cluster{c}), stage("all", ""))
	change(&in, c, g)
	return build(t, in).Stages[0].Groups[0].Units[0]
}

func TestScore(t *testing.T) {
	type reasons = []plan.Reason
	cases := map[string]struct {
		reason string
		change func(*plan.Input, *pipelines.Cluster, *pipelines.ClusterGroup)
		score  float64
		want   reasons
	}{
		"an average production cluster": {
			reason: "every part with its default weight, highest first, ties by name",
			change: func(*plan.Input, *pipelines.Cluster, *pipelines.ClusterGroup) {},
			score:  62.12,
			want: reasons{
				{Name: "environment", Value: "production", Points: 30},
				{Name: "component", Value: "Medium", Points: 10},
				{Name: "userGrade", Value: "5 of 10", Points: 7.5},
			},
		},
		"the worst there is": {
			reason: "100 is the end of the scale",
			change: func(in *plan.Input, c *pipelines.Cluster, g *pipelines.ClusterGroup) {
				in.Component.Spec.Risk = pipelines.High
				c.Spec.Role, c.Spec.UserGrade, c.Spec.Size = pipelines.Centre, 10, pipelines.Size{Nodes: plan.SizeNodes, Pods: 1}
				in.Documents.Fleet.Spec.Risk.BusinessSides = map[string]float64{"retail": 1}
				in.Documents.Fleet.Spec.Risk.NetworkDomains = map[string]float64{"vpc": 1}
			},
			score: 100,
			want: reasons{
				{Name: "environment", Value: "production", Points: 30},
				{Name: "component", Value: "High", Points: 20},
				{Name: "size", Value: "5000 nodes and 1 pod", Points: 15},
			},
		},
		"weights of the fleet": {
			reason: "only what is weighed counts, and the scale stays 0 to 100",
			change: func(in *plan.Input, c *pipelines.Cluster, g *pipelines.ClusterGroup) {
				in.Documents.Fleet.Spec.Risk.Weights = map[string]float64{
					"environment": 0, "component": 0, "size": 0, "role": 0, "businessSide": 0, "networkDomain": 0, "userGrade": 4,
				}
			},
			score: 50,
			want:  reasons{{Name: "userGrade", Value: "5 of 10", Points: 50}},
		},
		"a cluster of unknown size": {
			reason: "what is not known is not taken for small",
			change: func(in *plan.Input, c *pipelines.Cluster, g *pipelines.ClusterGroup) {
				c.Spec.Size = pipelines.Size{}
				in.Documents.Fleet.Spec.Risk.Weights = map[string]float64{
					"environment": 0, "component": 0, "role": 0, "businessSide": 0, "networkDomain": 0, "userGrade": 0,
				}
			},
			score: 50,
			want:  reasons{{Name: "size", Value: "not said", Points: 50}},
		},
		"a cluster that says its pods only": {
			reason: "what is known counts",
			change: func(in *plan.Input, c *pipelines.Cluster, g *pipelines.ClusterGroup) {
				c.Spec.Size = pipelines.Size{Pods: plan.SizePods}
				in.Documents.Fleet.Spec.Risk.Weights = map[string]float64{
					"environment": 0, "component": 0, "role": 0, "businessSide": 0, "networkDomain": 0, "userGrade": 0,
				}
			},
			score: 100,
			want:  reasons{{Name: "size", Value: "150000 pods", Points: 100}},
		},
		"a cluster that says its nodes only": {
			reason: "what is known counts",
			change: func(in *plan.Input, c *pipelines.Cluster, g *pipelines.ClusterGroup) {
				c.Spec.Size = pipelines.Size{Nodes: 1}
				in.Documents.Fleet.Spec.Risk.Weights = map[string]float64{
					"environment": 0, "component": 0, "role": 0, "businessSide": 0, "networkDomain": 0, "userGrade": 0,
				}
			},
			score: 8.18,
			want:  reasons{{Name: "size", Value: "1 node", Points: 8.18}},
		},
		"a cluster whose agent counted": {
			reason: "what an agent counted, rounded, stands for what nobody said",
			change: func(in *plan.Input, c *pipelines.Cluster, g *pipelines.ClusterGroup) {
				c.Spec.Size = pipelines.Size{}
				in.Seen = map[string]plan.Sighted{"a": {Nodes: 5019, Pods: 7}}
				in.Documents.Fleet.Spec.Risk.Weights = map[string]float64{
					"environment": 0, "component": 0, "role": 0, "businessSide": 0, "networkDomain": 0, "userGrade": 0,
				}
			},
			score: 100,
			want:  reasons{{Name: "size", Value: "about 5000 nodes and 7 pods, as its agent says", Points: 100}},
		},
		"a cluster whose size the fleet says": {
			reason: "people know better than an agent",
			change: func(in *plan.Input, c *pipelines.Cluster, g *pipelines.ClusterGroup) {
				c.Spec.Size = pipelines.Size{Nodes: 1}
				in.Seen = map[string]plan.Sighted{"a": {Nodes: 5000}}
				in.Documents.Fleet.Spec.Risk.Weights = map[string]float64{
					"environment": 0, "component": 0, "role": 0, "businessSide": 0, "networkDomain": 0, "userGrade": 0,
				}
			},
			score: 8.18,
			want:  reasons{{Name: "size", Value: "1 node", Points: 8.18}},
		},
		"zones and versions that the fleet weighs": {
			reason: "one zone is the worst, and so is a version that is two away from what most have",
			change: func(in *plan.Input, c *pipelines.Cluster, g *pipelines.ClusterGroup) {
				in.Seen = map[string]plan.Sighted{
					"a": {Version: "v1.34.1", Zones: []string{"z1", "z2"}}, "b": {Version: "v1.36.3"}, "c": {Version: "v1.36.0+k3s1"},
				}
				in.Documents.Fleet.Spec.Risk.Weights = map[string]float64{
					"environment": 0, "component": 0, "role": 0, "businessSide": 0, "networkDomain": 0, "userGrade": 0, "size": 0,
					"zones": 1, "version": 1,
				}
			},
			score: 75,
			want: reasons{
				{Name: "version", Value: "v1.34.1, most have 1.36", Points: 50}, {Name: "zones", Value: "2 zones", Points: 25},
			},
		},
		"zones and versions that nobody said": {
			reason: "they are neither safe nor dangerous",
			change: func(in *plan.Input, c *pipelines.Cluster, g *pipelines.ClusterGroup) {
				in.Documents.Fleet.Spec.Risk.Weights = map[string]float64{
					"environment": 0, "component": 0, "role": 0, "businessSide": 0, "networkDomain": 0, "userGrade": 0, "size": 0,
					"zones": 1, "version": 1,
				}
			},
			score: 50,
			want:  reasons{{Name: "version", Value: "not said", Points: 25}, {Name: "zones", Value: "not said", Points: 25}},
		},
		"a business side that nobody weighs": {
			reason: "it counts as neither safe nor dangerous",
			change: func(in *plan.Input, c *pipelines.Cluster, g *pipelines.ClusterGroup) {
				g.Spec.BusinessSide = ""
				in.Documents.Fleet.Spec.Risk.Weights = map[string]float64{
					"environment": 0, "component": 0, "role": 0, "size": 0, "networkDomain": 0, "userGrade": 0,
				}
			},
			score: 50,
			want:  reasons{{Name: "businessSide", Value: "not said", Points: 50}},
		},
		"an environment that the fleet does not list": {
			reason: "it counts as the last one",
			change: func(in *plan.Input, c *pipelines.Cluster, g *pipelines.ClusterGroup) {
				g.Spec.Environment = "moon"
				in.Documents.Fleet.Spec.Risk.Weights = map[string]float64{
					"size": 0, "component": 0, "role": 0, "businessSide": 0, "networkDomain": 0, "userGrade": 0,
				}
			},
			score: 100,
			want:  reasons{{Name: "environment", Value: "moon", Points: 100}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			u := scored(t, tc.change)
			if u.Score != tc.score {
				t.Errorf("%s: score %v, want %v; %+v", tc.reason, u.Score, tc.score, u.Reasons)
			}
			if diff := cmp.Diff(tc.want, u.Reasons[:min(3, len(u.Reasons))]); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestScoreGrowsWithRisk(t *testing.T) {
	environments := pipelines.DefaultFleet().Spec.Environments
	rapid.Check(t, func(rt *rapid.T) {
		type danger struct{ environment, grade, nodes, role, class int }
		draw := func(label string) danger {
			return danger{
				environment: rapid.IntRange(0, len(environments)-1).Draw(rt, label+" environment"),
				grade:       rapid.IntRange(0, 10).Draw(rt, label+" grade"),
				nodes:       rapid.IntRange(1, 20_000).Draw(rt, label+" nodes"),
				role:        rapid.IntRange(0, 1).Draw(rt, label+" role"),
				class:       rapid.IntRange(0, 2).Draw(rt, label+" class"),
			}
		}
		score := func(d danger) float64 {
			u := scored(t, func(in *plan.Input, c *pipelines.Cluster, g *pipelines.ClusterGroup) {
				g.Spec.Environment = environments[d.environment]
				c.Spec.UserGrade, c.Spec.Size.Nodes = d.grade, d.nodes
				c.Spec.Role = []pipelines.Role{pipelines.UnitRole, pipelines.Centre}[d.role]
				in.Component.Spec.Risk = []pipelines.Risk{pipelines.Low, pipelines.Medium, pipelines.High}[d.class]
			})
			return u.Score
		}
		a, b := draw("a"), draw("b")
		worse := danger{max(a.environment, b.environment), max(a.grade, b.grade), max(a.nodes, b.nodes), max(a.role, b.role), max(a.class, b.class)}
		got, above := score(a), score(worse)
		if got < 0 || above > 100 || above < got {
			rt.Fatalf("%+v scores %v and %+v scores %v", a, got, worse, above)
		}
	})
}

func TestScoresAddUp(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		u := scored(t, func(in *plan.Input, c *pipelines.Cluster, g *pipelines.ClusterGroup) {
			c.Spec.UserGrade = rapid.IntRange(0, 10).Draw(rt, "grade")
			c.Spec.Size = pipelines.Size{Nodes: rapid.IntRange(0, 6000).Draw(rt, "nodes"), Pods: rapid.IntRange(0, 200_000).Draw(rt, "pods")}
			weights := map[string]float64{}
			for _, part := range pipelines.RiskParts() {
				weights[part] = rapid.Float64Range(0, 7).Draw(rt, part)
			}
			weights["component"]++
			in.Documents.Fleet.Spec.Risk.Weights = weights
		})
		sum := 0.0
		for _, r := range u.Reasons {
			sum += r.Points
		}
		if math.Abs(sum-u.Score) > 1e-9 {
			rt.Fatalf("the reasons %+v add up to %.2f, not %.2f", u.Reasons, sum, u.Score)
		}
	})
}
