package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/pipelines"
)

// TestATaskThatLooksElsewhere: a plan touches the clusters that its tasks name, too. Whoever has a right in staging alone has none over it.
func TestATaskThatLooksElsewhere(t *testing.T) {
	b := newBench(t)
	const staging = `
---
apiVersion: sluice.dev/v1alpha1
kind: ClusterGroup
metadata: {name: staging}
spec: {environment: staging}
---
apiVersion: sluice.dev/v1alpha1
kind: Cluster
metadata: {name: s1}
spec: {group: staging}
---
apiVersion: sluice.dev/v1alpha1
kind: Task
metadata: {name: count}
spec: {steps: [{name: count, gate: {cel: "true"}}]}
---
apiVersion: sluice.dev/v1alpha1
kind: Pipeline
metadata: {name: careful}
spec:
  tasks: [{name: first, taskRef: {name: count}WHERE}]
  stages: [{name: all, clusterGroups: {matchLabels: {environment: staging}}}]
`
	b.bind("stager", pipelines.BindingScope{Environments: []string{"staging"}}, pipelines.RolePlanner)
	h := b.handler()
	pipeline := documents[strings.Index(documents, "---\napiVersion: sluice.dev/v1alpha1\nkind: Pipeline"):strings.Index(documents, "---\napiVersion: sluice.dev/v1alpha1\nkind: Component")]
	for where, want := range map[string]int{", cluster: s1": http.StatusOK, ", cluster: c1": http.StatusForbidden} {
		b.write("all.yaml", strings.Replace(documents, pipeline, strings.TrimPrefix(strings.Replace(staging, "WHERE", where, 1), "\n"), 1))
		w := b.ask(h, "POST", "/plans", "{"+b.sent()+`,"component":"agent"}`, b.token("stager"))
		if w.Code != want && (want == http.StatusForbidden || w.Code == http.StatusForbidden || w.Code == http.StatusBadRequest) {
			t.Errorf("a task%s: %d %s", where, w.Code, w.Body)
		}
	}
}

// keeps has documents be applied, as somebody may who keeps the fleet.
func (b *bench) keeps(h http.Handler, text string) {
	b.t.Helper()
	if w := b.ask(h, "POST", "/documents", "{"+newFiles(b.t, text)+`,"reason":"moved"}`, b.token("admin")); w.Code != http.StatusOK {
		b.t.Fatal(w.Code, w.Body)
	}
	b.clock.Step(5 * time.Second)
}

const (
	inProduction = "apiVersion: sluice.dev/v1alpha1\nkind: ClusterGroup\nmetadata: {name: prod, labels: {tier: gold}}\nspec: {environment: production}\n" +
		"---\napiVersion: sluice.dev/v1alpha1\nkind: Cluster\nmetadata: {name: c1}\nspec: {group: prod}\n"
	inStaging = "apiVersion: sluice.dev/v1alpha1\nkind: ClusterGroup\nmetadata: {name: trial}\nspec: {environment: staging}\n" +
		"---\napiVersion: sluice.dev/v1alpha1\nkind: Cluster\nmetadata: {name: c1}\nspec: {group: trial}\n"
)

// TestRightsGoByWhereClustersAre, and not by where they were when a run was planned: whoever operates there now can take it back.
func TestRightsGoByWhereClustersAre(t *testing.T) {
	b := newBench(t)
	b.callers()
	b.bind("was", pipelines.BindingScope{Environments: []string{"production"}}, pipelines.RoleOperator)
	b.bind("is", pipelines.BindingScope{Environments: []string{"staging"}}, pipelines.RoleOperator)
	there, _ := b.seed()
	h := b.handler()
	may := func(who string) bool {
		t.Helper()
		w := b.ask(h, "POST", there.Replace("/runs/{run}/commands/rollback"), `{"reason":"back"}`, b.token(who))
		return w.Code != http.StatusForbidden
	}
	if !may("was") || may("is") {
		t.Error("before it moves, who operates where the plan has the cluster does not operate it")
	}
	b.keeps(h, inStaging)
	if may("was") || !may("is") {
		t.Error("after it has moved, who operates where it was operates it still")
	}
}

// TestAGroupIsFrozenByItsLabels: a scope that leaves out what is gold has no group of which nobody knows that it is not.
func TestAGroupIsFrozenByItsLabels(t *testing.T) {
	b := newBench(t)
	b.callers()
	not := func(key, value string) pipelines.BindingScope {
		return pipelines.BindingScope{ClusterGroups: &pipelines.Selector{
			MatchExpressions: []pipelines.SelectorRequirement{{Key: key, Operator: pipelines.OpNotIn, Values: []string{value}}},
		}}
	}
	b.bind("tin", not("tier", "gold"), pipelines.RoleOperator)
	b.bind("brass", not("tier", "silver"), pipelines.RoleOperator)
	b.bind("tests", not("environment", "production"), pipelines.RoleOperator)
	h := b.handler()
	freezes := func(who string) int {
		return b.ask(h, "POST", "/freezes", `{"scope":{"group":"prod"},"inFlight":"Finish","reason":"x"}`, b.token(who)).Code
	}
	for _, who := range []string{"tin", "brass", "tests"} {
		if code := freezes(who); code != http.StatusForbidden {
			t.Errorf("%s freezes a group of which nobody knows anything: %d", who, code)
		}
	}
	b.keeps(h, inProduction)
	for who, may := range map[string]bool{"tin": false, "brass": true, "tests": false} {
		if code := freezes(who); (code == http.StatusOK) != may {
			t.Errorf("%s freezes a golden group of production: %d", who, code)
		}
	}
}

// TestProbesByHandGoByWhereClustersAre: whoever operates where clusters are may have cases run in them, and see what came of it.
func TestProbesByHandGoByWhereClustersAre(t *testing.T) {
	b := newBench(t)
	b.callers()
	for name, scope := range map[string]pipelines.BindingScope{
		"by-environment": {Environments: []string{"production"}},
		"by-group":       {ClusterGroups: &pipelines.Selector{MatchLabels: map[string]string{"name": "prod"}}},
		"by-label":       {ClusterGroups: &pipelines.Selector{MatchLabels: map[string]string{"tier": "gold"}}},
		"elsewhere-yet":  {Environments: []string{"staging"}},
		"of-component":   {Environments: []string{"production"}, Components: []string{"agent"}},
		"of-namespace":   {Environments: []string{"production"}, Namespaces: []string{"sluice-probes"}},
	} {
		b.bind(name, scope, pipelines.RoleOperator)
	}
	h := b.handler()
	b.keeps(h, inProduction+"---\n"+strings.ReplaceAll(inStaging, "c1", "s1"))
	for _, c := range []struct {
		reason   string
		run      string // what it asks to run
		who      string
		may, see bool
	}{
		{"his environment", `"clusters":["c1"]`, "by-environment", true, true},
		{"his group", `"clusters":["c1"]`, "by-group", true, true},
		{"his groups, by a label", `"group":"prod"`, "by-label", true, true},
		{"his environment, by the group", `"group":"prod"`, "by-environment", true, true},
		{"the environment of others", `"clusters":["c1"]`, "elsewhere-yet", false, false},
		{"the group of others", `"group":"prod"`, "elsewhere-yet", false, false},
		{"one is his, another not", `"clusters":["c1","s1"]`, "by-environment", false, true},
		{"one of which nobody knows where it is", `"clusters":["c1","c9"]`, "by-environment", false, true},
		{"a group that is not there", `"group":"none"`, "by-environment", false, true},
		{"neither", `"reason":"none"`, "by-environment", false, true},
		{"cases are about no component that he is told", `"clusters":["c1"]`, "of-component", false, false},
		{"cases are in any namespace", `"clusters":["c1"]`, "of-namespace", false, false},
		{"everything", `"clusters":["c1","c9"]`, "operator", true, true},
	} {
		w := b.ask(h, "POST", "/probe-runs", `{"case":"etcd",`+c.run+`}`, b.token(c.who))
		if may := w.Code != http.StatusForbidden; may != c.may || w.Code == http.StatusUnprocessableEntity {
			t.Errorf("%s: %s runs %s: %d %s", c.reason, c.who, c.run, w.Code, w.Body)
		}
		for _, path := range []string{"/probe-runs/c1/etcd/k", "/clusters/c1/health"} {
			if w := b.ask(h, "GET", path, "", b.token(c.who)); (w.Code != http.StatusForbidden) != c.see {
				t.Errorf("%s: %s sees %s: %d %s", c.reason, c.who, path, w.Code, w.Body)
			}
		}
	}
}
