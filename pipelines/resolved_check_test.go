package pipelines_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

const checkedPipeline = `
kind: Pipeline
metadata: {name: p}
spec:
  params: [{name: limit, type: int}, {name: share, type: double, default: 1}]
  defaults:
    checks:
    - {name: late, runAfter: [ready, restarts], gate: {cel: "true"}}
    - {taskRef: {name: restarts}, at: [afterCluster, during], params: [{name: limit, value: $(params.limit)}, {name: share, value: 2}]}
    - {name: ready, enforcement: Advisory, displayName: Ready, gate: {cel: "double(workload.ready) >= params.share", message: not ready}}
  stages: [{name: s, clusterGroups: {all: true}}]`

const restartsTask = `
kind: Task
metadata: {name: restarts}
spec:
  params: [{name: wait, type: duration, default: 5m}, {name: share, type: double}, {name: limit, type: int}]
  steps:
  - {name: count, gate: {cel: workload.restarts <= params.limit, message: too many}}
  - {name: quiet, gate: {cel: params.wait > duration("1m") && params.share > 0.0}}`

func TestResolveChecks(t *testing.T) {
	docs := mustParse(t, checkedPipeline, restartsTask)
	p := docs.Pipelines["p"]
	params, err := pipelines.BindParams(p, map[string]string{"limit": "3"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := docs.ResolveChecks(p, p.Stage("s"), params)
	if err != nil {
		t.Fatalf("ResolveChecks(...): %v", err)
	}
	pipelineParams := []pipelines.ParamValue{{Name: "limit", Value: int64(3)}, {Name: "share", Value: 1.0}}
	want := []pipelines.ResolvedCheck{
		{
			Name: "restarts", Task: "restarts", At: []pipelines.Point{pipelines.During, pipelines.AfterCluster}, Enforcement: pipelines.Enforcing,
			Gates: []pipelines.ResolvedGate{
				{Name: "restarts/count", CEL: "workload.restarts <= params.limit", Message: "too many"},
				{Name: "restarts/quiet", CEL: `params.wait > duration("1m") && params.share > 0.0`},
			},
			Params: []pipelines.ParamValue{{Name: "limit", Value: int64(3)}, {Name: "share", Value: 2.0}, {Name: "wait", Value: 5 * time.Minute}},
		},
		{
			Name: "ready", DisplayName: "Ready", At: []pipelines.Point{pipelines.AfterBatch, pipelines.AfterCluster}, Enforcement: pipelines.Advisory,
			Gates:  []pipelines.ResolvedGate{{Name: "ready", CEL: "double(workload.ready) >= params.share", Message: "not ready"}},
			Params: pipelineParams,
		},
		{
			Name: "late", At: []pipelines.Point{pipelines.AfterBatch, pipelines.AfterCluster}, RunAfter: []string{"ready", "restarts"},
			Enforcement: pipelines.Enforcing,
			Gates:       []pipelines.ResolvedGate{{Name: "late", CEL: "true"}},
			Params:      pipelineParams,
		},
	}
	ignore := cmpopts.IgnoreTypes(pipelines.Position{})
	if diff := cmp.Diff(want, got, ignore); diff != "" {
		t.Errorf("ResolveChecks(...): -want +got:\n%s", diff)
	}

	data, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var again []pipelines.ResolvedCheck
	if err := json.Unmarshal(data, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, again, ignore); diff != "" {
		t.Errorf("a resolved check survives JSON with its types: -want +got:\n%s", diff)
	}
}

func TestResolvedChecksCompileAndHoldWhereTheyRun(t *testing.T) {
	docs := mustParse(t, checkedPipeline, restartsTask)
	p := docs.Pipelines["p"]
	params, err := pipelines.BindParams(p, map[string]string{"limit": "3"})
	if err != nil {
		t.Fatal(err)
	}
	checks, err := docs.ResolveChecks(p, p.Stage("s"), params)
	if err != nil {
		t.Fatal(err)
	}
	compiler := rule.NewCompiler()
	facts := rule.Facts{Workload: rule.Workload{Ready: 3, Restarts: 2}}
	for _, c := range checks {
		for _, point := range c.At {
			for _, g := range c.Gates {
				program, err := compiler.Compile(pipelines.ScopeOf(point), c.RuleParams(), g.CEL)
				if err != nil {
					t.Errorf("gate %s at %s: %v", g.Name, point, err)
					continue
				}
				if holds, err := program.Eval(t.Context(), facts, c.RuleValues()); err != nil || !holds {
					t.Errorf("gate %s at %s: got %t, %v, want it to hold", g.Name, point, holds, err)
				}
			}
		}
	}
}

func TestResolveChecksWithoutParams(t *testing.T) {
	docs := mustParse(t, checkedPipeline, restartsTask)
	p := docs.Pipelines["p"]
	_, err := docs.ResolveChecks(p, p.Stage("s"), nil)
	if err == nil || !strings.Contains(err.Error(), "cannot resolve check restarts of stage s: param limit has no value") {
		t.Errorf("ResolveChecks without params: got %v, want it to name the param", err)
	}
}

func TestDefaultPointsFollowTheFactsThatARuleNeeds(t *testing.T) {
	docs := mustParse(t, `
kind: Pipeline
metadata: {name: p}
spec:
  stages:
  - name: s
    clusterGroups: {all: true}
    checks:
    - {name: both, gate: {cel: workload.ready > 0}}
    - {name: batch-only, gate: {cel: workload.updatedReady == batch.target}}
    - {name: said, at: [afterStage, beforeBatch], gate: {cel: change.version != change.previous}}
    - {name: task, taskRef: {name: target}}`, `
kind: Task
metadata: {name: target}
spec: {steps: [{name: a, gate: {cel: batch.target > 0}}]}`)
	p := docs.Pipelines["p"]
	checks, err := docs.ResolveChecks(p, &p.Spec.Stages[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]pipelines.Point{}
	for _, c := range checks {
		got[c.Name] = c.At
	}
	want := map[string][]pipelines.Point{
		"both":       {pipelines.AfterBatch, pipelines.AfterCluster},
		"batch-only": {pipelines.AfterBatch},
		"said":       {pipelines.BeforeBatch, pipelines.AfterStage},
		"task":       {pipelines.AfterBatch},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("points: -want +got:\n%s", diff)
	}
}

func TestScopeOfEveryPoint(t *testing.T) {
	for _, p := range pipelines.Points() {
		if pipelines.ScopeOf(p).Facts() == nil {
			t.Errorf("ScopeOf(%s) is %q, which is no scope", p, pipelines.ScopeOf(p))
		}
	}
	if got := pipelines.ScopeOf("afterLunch"); got != "" {
		t.Errorf("ScopeOf(afterLunch): got %q, want none", got)
	}
}
