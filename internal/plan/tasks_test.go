package plan_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

const pipelineWithTasks = `apiVersion: sluice.dev/v1alpha1
kind: Pipeline
metadata: {name: careful}
spec:
  params: [{name: least, type: int, default: 1}]
  timeouts: {pipeline: 1h, finally: 10m}
  tasks:
  - {name: backup, taskRef: {name: count}, cluster: c1, timeout: 5m, retries: 2}
  - name: report
    taskRef: {name: count}
    runAfter: [backup]
    params: [{name: least, value: $(tasks.look.results.found)}]
    when: [{cel: tasks.look.results.found > params.least}, {input: a, operator: notin, values: [b]}]
    onError: continue
  - {name: look, taskRef: {name: count}, params: [{name: least, value: $(params.least)}]}
  - {name: warm, taskRef: {name: count}, matrix: {params: [{name: least, value: [1, 2]}]}}
  stages: [{name: all, clusterGroups: {all: true}}]
  finally: [{name: notify, taskRef: {name: count}}]
---
apiVersion: sluice.dev/v1alpha1
kind: Task
metadata: {name: count}
spec:
  params: [{name: least, type: int, default: 0}]
  results: [{name: found, type: int}]
  steps: [{name: units, gate: {cel: stage.units >= params.least}}]
---
apiVersion: sluice.dev/v1alpha1
kind: ClusterGroup
metadata: {name: prod}
spec: {environment: production}
---
apiVersion: sluice.dev/v1alpha1
kind: Cluster
metadata: {name: c1, labels: {tier: gold}}
spec: {group: prod, site: hz, context: c1-admin}
---
apiVersion: sluice.dev/v1alpha1
kind: Component
metadata: {name: agent}
spec: {version: 1.0.0, pipeline: careful, template: {manifests: agent}}
`

func planWithTasks(t *testing.T, text string) *plan.Plan {
	t.Helper()
	docs, err := pipelines.Parse(pipelines.Source{Name: "all.yaml", Data: []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	return build(t, plan.Input{
		Documents: docs, Pipeline: docs.Pipelines["careful"], Component: docs.Components["agent"][0], Template: "sha256:t",
		Values: func(pipelines.Place) (string, error) { return "sha256:v", nil },
	})
}

func TestAPlanHoldsItsTasks(t *testing.T) {
	p := planWithTasks(t, pipelineWithTasks)
	var names []string
	for _, task := range p.Tasks.First {
		names = append(names, task.Name)
	}
	if diff := cmp.Diff([]string{"backup", "look", "report", "warm"}, names); diff != "" {
		t.Errorf("each after what it waits for (-want +got):\n%s", diff)
	}
	place := p.Tasks.Place("c1")
	if place == nil || place.Context != "c1-admin" || place.Site != "hz" || place.Unit.Path != "prod/c1" || place.Unit.Labels["tier"] != "gold" {
		t.Errorf("the cluster of a task is known with its context, site and labels: %+v", place)
	}
	if limit := p.Tasks.Timeouts; limit.Tasks.String() != "50m" || limit.Finally.String() != "10m" {
		t.Errorf("tasks have what finally leaves of the whole: %+v", limit)
	}
	body, err := plan.Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	again, err := plan.Decode(body)
	if err != nil || plan.Hash(again) != plan.Hash(p) {
		t.Errorf("it changes on its way through the store: %v", err)
	}
}

func TestThePlansHashCoversTasks(t *testing.T) {
	hash := plan.Hash(planWithTasks(t, pipelineWithTasks))
	for _, c := range []struct{ reason, old, new string }{
		{"a param", "default: 1}", "default: 2}"},
		{"a condition", "results.found > params", "results.found >= params"},
		{"retries", "retries: 2", "retries: 3"},
		{"a timeout", "timeout: 5m", "timeout: 6m"},
		{"the timeout of finally", "finally: 10m", "finally: 11m"},
		{"what a task does", "stage.units >= params", "stage.units > params"},
		{"what a failure means", "onError: continue", "onError: stopAndFail"},
		{"a value of a matrix", "value: [1, 2]", "value: [1, 3]"},
		{"the place of a task's cluster", "context: c1-admin", "context: c1-viewer"},
		{"a task of finally", "name: notify", "name: tell"},
	} {
		if plan.Hash(planWithTasks(t, strings.Replace(pipelineWithTasks, c.old, c.new, 1))) == hash {
			t.Errorf("%s changes, and the hash stays", c.reason)
		}
	}
}

func TestAPlanPrintsItsTasks(t *testing.T) {
	var out bytes.Buffer
	if err := plan.Render(&out, planWithTasks(t, pipelineWithTasks), nil, plan.RenderOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"tasks, before the first stage, within 50m",
		"  backup  in c1; least=0; at most 3 attempts; each within 5m",
		`  report  after backup, look; when tasks.look.results.found > params.least; when "a" notin ["b"]; ` +
			`least=$(tasks.look.results.found); a failure counts as nothing`,
		"  look    least=1",
		"  warm    2 combinations",
		"finally, whatever happened, within 10m",
		"  notify  least=0",
	} {
		if !strings.Contains(out.String(), line+"\n") {
			t.Errorf("it does not print %q:\n%s", line, out.String())
		}
	}
}

func TestAPlanRefusesTasks(t *testing.T) {
	docs, err := pipelines.Parse(pipelines.Source{Name: "all.yaml", Data: []byte(pipelineWithTasks)})
	if err != nil {
		t.Fatal(err)
	}
	in := plan.Input{
		Documents: docs, Pipeline: docs.Pipelines["careful"], Component: docs.Components["agent"][0], Template: "sha256:t",
		Values: func(pipelines.Place) (string, error) { return "sha256:v", nil },
	}
	in.Pipeline.Spec.Tasks[0].Cluster = "c2" // pipelines are linted without the fleet, too
	if _, err := plan.Build(in); fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "there is no cluster c2") {
		t.Errorf("a task in a cluster that is not there: %v", err)
	}

	p := planWithTasks(t, pipelineWithTasks)
	if err := plan.CheckBounds(p); err != nil {
		t.Errorf("a plan within its bounds: %v", err)
	}
	many := func(n int, bend func(*plan.Task)) *plan.Plan {
		p := planWithTasks(t, pipelineWithTasks)
		for i := range n {
			one := p.Tasks.First[0]
			one.Name = fmt.Sprint("t", i)
			one.Results = nil
			bend(&one)
			p.Tasks.First = append(p.Tasks.First, one)
		}
		return p
	}
	for _, c := range []struct {
		reason string
		plan   *plan.Plan
		want   string
	}{
		{"tasks that no run could carry", many(300, func(t *plan.Task) { t.DisplayName = strings.Repeat("x", 1000) }), "MaxTasksBytes"},
		{"conditions that each of many combinations has", many(1, func(t *plan.Task) {
			t.Matrix, t.Combinations = true, make([]pipelines.Combination, 250)
			t.When = []pipelines.When{{CEL: "'" + strings.Repeat("x", 500) + "' != ''"}}
		}), "MaxTasksBegun"},
		{"more results than its status holds", many(plan.MaxYielding+1, func(t *plan.Task) {
			t.Results = []pipelines.TaskResult{{Name: "r"}}
		}), "MaxYielding"},
	} {
		if err := plan.CheckBounds(c.plan); fault.CodeOf(err) != fault.Refused || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.reason, err)
		}
	}
}
