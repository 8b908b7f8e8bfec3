package plan_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

func TestBackward(t *testing.T) {
	row := func(stage string, names ...string) plan.StagePlan {
		return plan.StagePlan{Name: stage, Groups: []plan.Group{{Units: units(names...)}}}
	}
	chained := row("production", "c", "d", "e")
	chained.Groups[0].Units[1].After = []string{"c"}
	chained.Groups[0].Units[2].After = []string{"c"}
	cases := map[string]struct {
		reason string
		stages []plan.StagePlan
		moved  []string
		want   [][]string
	}{
		"the last goes first and alone, then a third at a time": {
			reason: "33% of 7 is 2",
			stages: []plan.StagePlan{row("e2e", "a"), row("canary", "b"), row("production", "c", "d", "e", "f", "g")},
			moved:  []string{"a", "b", "c", "d", "e", "f", "g"},
			want:   [][]string{{"g"}, {"f", "e"}, {"d", "c"}, {"b", "a"}},
		},
		"a third of two is still one": {
			reason: "a rollback has to move",
			stages: []plan.StagePlan{row("e2e", "a"), row("canary", "b")},
			moved:  []string{"b", "a"},
			want:   [][]string{{"b"}, {"a"}},
		},
		"only what was moved goes back": {
			reason: "the others run what they ran",
			stages: []plan.StagePlan{row("e2e", "a"), row("production", "c", "d", "e")},
			moved:  []string{"c", "a"},
			want:   [][]string{{"c"}, {"a"}},
		},
		"a cluster goes back after those that came after it": {
			reason: "d and e were built on c",
			stages: []plan.StagePlan{row("e2e", "a", "b"), chained, row("rest", "f", "g", "h", "i")},
			moved:  []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"},
			want:   [][]string{{"i"}, {"h", "g"}, {"f", "e"}, {"d", "b"}, {"c", "a"}},
		},
		"nothing was moved": {
			reason: "then nothing goes back",
			stages: []plan.StagePlan{row("e2e", "a")},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w, err := plan.Backward(&plan.Plan{Stages: tc.stages}, tc.moved)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, w.Waves()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestBackwardRefusesAStranger(t *testing.T) {
	_, err := plan.Backward(&plan.Plan{Subject: api.Component("x"), Version: "1"}, []string{"b", "a"})
	if want := "cannot order the way back of x 1: the plan has no cluster a"; fault.CodeOf(err) != fault.Invalid || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestBackwardStopsAtTheSecondFailure(t *testing.T) {
	w, err := plan.Backward(&plan.Plan{Stages: []plan.StagePlan{{Groups: []plan.Group{{Units: units("a", "b", "c", "d")}}}}}, []string{"a", "b", "c", "d"})
	if err != nil {
		t.Fatal(err)
	}
	one := w.Next([]plan.State{plan.Failed, plan.Unreachable})
	if diff := cmp.Diff(plan.Decision{Start: []int{2}}, one); diff != "" {
		t.Errorf("one failure and one out of reach hold nobody (-want +got):\n%s", diff)
	}
	two := w.Next([]plan.State{plan.Failed, plan.Failed})
	if diff := cmp.Diff(plan.Decision{Held: "2 units failed, maxFailures is 1"}, two); diff != "" {
		t.Errorf("two failures stop it (-want +got):\n%s", diff)
	}
}

func TestBackwardTurnsClusterGroupsAround(t *testing.T) {
	all := units("a", "b", "c", "d", "e", "f", "g")
	for i := range all {
		if all[i].Group = "two"; i >= 3 {
			all[i].Group, all[i].AfterGroups = "one", []string{"two"}
		}
	}
	w, err := plan.Backward(&plan.Plan{Stages: []plan.StagePlan{{Groups: []plan.Group{{Units: all}}}}}, []string{"a", "b", "c", "d", "e", "f", "g"})
	if err != nil {
		t.Fatal(err)
	}
	got := w.Next([]plan.State{plan.Succeeded, plan.Succeeded, plan.Running, plan.Pending})
	if diff := cmp.Diff(plan.Decision{Start: []int{3}}, got); diff != "" {
		t.Errorf("two go at once, d of the same group beside e (-want +got):\n%s", diff)
	}
	got = w.Next([]plan.State{plan.Succeeded, plan.Succeeded, plan.Succeeded, plan.Running})
	if diff := cmp.Diff(plan.Decision{}, got); diff != "" {
		t.Errorf("the group two waits for d, the last of the group one (-want +got):\n%s", diff)
	}
	got = w.Next([]plan.State{plan.Succeeded, plan.Succeeded, plan.Succeeded, plan.Succeeded})
	if diff := cmp.Diff(plan.Decision{Start: []int{4, 5}}, got); diff != "" {
		t.Errorf("then it goes (-want +got):\n%s", diff)
	}
}

// Whatever clusters and groups declare about each other, a rollback of what Build planned gets to every cluster.
func TestBackwardReachesEveryUnit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		in := anyInput(rt)
		p, err := plan.Build(in)
		if err != nil {
			rt.Skip("this input has no plan")
		}
		var moved []string
		for _, line := range p.Stages {
			for _, g := range line.Groups {
				for _, u := range g.Units {
					if rapid.IntRange(0, 3).Draw(rt, "moved") > 0 {
						moved = append(moved, u.Cluster)
					}
				}
			}
		}
		w, err := plan.Backward(p, moved)
		if err != nil {
			rt.Fatal(err)
		}
		started, _ := drive(rt, plan.Window{Group: w.Group, MaxFailures: len(moved), MaxUnreachable: w.MaxUnreachable, Anyhow: true}, func(int) plan.State {
			return rapid.SampledFrom([]plan.State{plan.Succeeded, plan.Failed, plan.Unreachable}).Draw(rt, "end")
		})
		slices.Sort(started)
		if len(slices.Compact(started)) != len(moved) {
			rt.Fatalf("%d of %d clusters go back", len(started), len(moved))
		}
	})
}

// anyInput draws a small fleet in which anything may go after anything, and a pipeline over it.
func anyInput(t *rapid.T) plan.Input {
	environments := []string{"e2e", "canary", "production"}
	names := []string{"g0", "g1", "g2", "g3"}
	var groups []*pipelines.ClusterGroup
	for i, name := range names {
		var after []string
		if i > 0 && rapid.IntRange(0, 4).Draw(t, "group after") == 0 {
			after = []string{names[rapid.IntRange(0, i-1).Draw(t, "group")]}
		}
		groups = append(groups, group(name, rapid.SampledFrom(environments).Draw(t, "environment"), after...))
	}
	var clusters []*pipelines.Cluster
	for i := range rapid.IntRange(1, 12).Draw(t, "clusters") {
		var after []string
		if i > 0 && rapid.IntRange(0, 4).Draw(t, "after") == 0 {
			after = []string{clusterName(rapid.IntRange(0, i-1).Draw(t, "other"))}
		}
		c := cluster(clusterName(i), rapid.SampledFrom(names).Draw(t, "group"), rapid.IntRange(0, 10).Draw(t, "grade"), after...)
		clusters = append(clusters, at(rapid.SampledFrom([]string{"", "north", "south"}).Draw(t, "region"), c))
	}
	rules := []func(*pipelines.Rules){concurrency(amount().Draw(t, "at once"))}
	if rapid.Bool().Draw(t, "grouped") {
		rules = append(rules, groupBy("region"))
	}
	if rapid.Bool().Draw(t, "by name") {
		rules = append(rules, orderBy("name"))
	}
	var stages []pipelines.Stage
	for _, environment := range append(rapid.Permutation(environments).Draw(t, "stages"), "") {
		stages = append(stages, stage("stage-"+environment, environment, rules...))
	}
	return input(documents(groups, clusters), mayBeEmpty(stages...)...)
}

func clusterName(i int) string { return string(rune('a' + i)) }
