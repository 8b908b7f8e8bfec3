package pipelines_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/pipelines"
)

func rulesJSON(t *testing.T, r pipelines.Rules) string {
	t.Helper()
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestEffectiveRulesWithNothingSaidAreTheCarefulOnes(t *testing.T) {
	p := mustParse(t, `
kind: Pipeline
metadata: {name: p}
spec: {stages: [{name: s, clusterGroups: {all: true}}]}`).Pipelines["p"]
	want := `{"nodeSets":[{"name":"all","all":true}],"batches":[1,"10%","50%","100%"],"maxUnavailable":1,` +
		`"maxBehind":"10%","soak":{"batch":{"rest":"0s"},"cluster":"0s","group":"0s","stage":"0s"},"order":{"by":"risk"},` +
		`"maxConcurrency":1,"maxFailures":0,"maxBatchFailures":0,"maxUnreachable":0,"progressDeadline":"15m"}`
	if diff := cmp.Diff(want, rulesJSON(t, p.EffectiveRules(&p.Spec.Stages[0]))); diff != "" {
		t.Errorf("EffectiveRules(s): -want +got:\n%s", diff)
	}
	if p.Spec.OnFailure != pipelines.Pause {
		t.Errorf("onFailure: got %q, want Pause", p.Spec.OnFailure)
	}
}

func TestEffectiveRulesAreStageOverDefaultsOverBuiltIn(t *testing.T) {
	p := mustParse(t, `
kind: Pipeline
metadata: {name: p}
spec:
  defaults:
    nodeSets: [{matchLabels: {pool: canary}}, {matchLabels: {pool: canary}, name: pool-canary-2}, {names: [n1]}, {all: true}]
    batches: [5, 100%]
    soak: {batch: {first: 1h, rest: 10m}, stage: 1h}
    maxConcurrency: 2
    maxBatchFailures: 2
    order: {units: [c1]}
    checks:
    - {name: first, gate: {cel: "true"}}
    - {name: second, gate: {cel: "true"}}
  stages:
  - name: s
    clusterGroups: {all: true}
    batches: [100%]
    soak: {batch: 5m, stage: 24h}
    maxFailures: 10%
    checks:
    - {name: third, gate: {cel: "true"}}
    - {name: first, enforcement: Advisory, gate: {cel: "true"}}
  - name: plain
    clusterGroups: {all: true}`).Pipelines["p"]

	r := p.EffectiveRules(p.Stage("s"))
	var names []string
	for _, c := range r.Checks {
		names = append(names, c.Name+" "+string(c.Enforcement))
	}
	if diff := cmp.Diff([]string{"first Advisory", "second Enforcing", "third Enforcing"}, names); diff != "" {
		t.Errorf("checks of a stage are added, one of the same name replaces: -want +got:\n%s", diff)
	}
	var sets []string
	for _, s := range r.NodeSets {
		sets = append(sets, s.Name)
	}
	if diff := cmp.Diff([]string{"pool-canary", "pool-canary-2", "name-in-n1", "all"}, sets); diff != "" {
		t.Errorf("node sets have names of their own: -want +got:\n%s", diff)
	}
	r.Checks, r.NodeSets = nil, nil
	want := `{"batches":["100%"],"maxUnavailable":1,"maxBehind":"10%","soak":{"batch":{"first":"1h","rest":"5m"},"cluster":"0s","group":"0s","stage":"1d"},` +
		`"order":{"by":"risk","units":["c1"]},"maxConcurrency":2,"maxFailures":"10%","maxBatchFailures":2,"maxUnreachable":0,"progressDeadline":"15m"}`
	if diff := cmp.Diff(want, rulesJSON(t, r)); diff != "" {
		t.Errorf("EffectiveRules(s): -want +got:\n%s", diff)
	}
	if got := len(p.EffectiveRules(p.Stage("plain")).Checks); got != 2 {
		t.Errorf("a stage's checks reached another stage: it has %d, want 2", got)
	}
	if got := p.Spec.Defaults.Checks[0].Enforcement; got != pipelines.Enforcing {
		t.Errorf("a stage's check changed the defaults: %s", got)
	}
}

func TestRulesSurviveJSON(t *testing.T) {
	p := mustParse(t, `
kind: Pipeline
metadata: {name: p}
spec:
  params: [{name: d, type: duration, default: 90s}, {name: f, type: double, default: 1}, {name: i, type: int, default: 1}]
  stages:
  - name: s
    clusterGroups: {matchExpressions: [{key: a, operator: In, values: [b]}]}
    nodeSets: [{name: canary, matchLabels: {pool: canary}}, {all: true}]
    soak: {batch: 1500s}
    checks: [{name: c, taskSpec: {params: [{name: x, type: double}], steps: [{name: s, gate: {cel: params.x > 0.0}}]}, params: [{name: x, value: 2}]}]`).Pipelines["p"]
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	got := &pipelines.Pipeline{}
	if err := json.Unmarshal(data, got); err != nil {
		t.Fatalf("json.Unmarshal(%s): %v", data, err)
	}
	ignore := cmp.FilterPath(func(path cmp.Path) bool { return path.Last().Type() == typeOfPosition }, cmp.Ignore())
	if diff := cmp.Diff(p, got, ignore); diff != "" {
		t.Errorf("JSON round trip: -want +got:\n%s", diff)
	}
	if d, ok := got.Spec.Params[0].Default.(time.Duration); !ok || d != 90*time.Second {
		t.Errorf("default of d: got %T %v, want a time.Duration", got.Spec.Params[0].Default, got.Spec.Params[0].Default)
	}
}
