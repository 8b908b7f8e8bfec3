package pipelines_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/pipelines"
)

const taskDocuments = `apiVersion: sluice.dev/v1alpha1
kind: Pipeline
metadata: {name: tasks}
spec:
  params: [{name: least, type: int, default: 2}, {name: who}]
  tasks:
  - name: report
    taskRef: {name: count}
    params: [{name: least, value: $(tasks.look.results.found)}, {name: wait, value: 5m}]
    runAfter: [warm]
    when: [{cel: 'tasks.look.results.found > params.least'}, {input: $(params.who), operator: notin, values: [$(params.who), nobody]}]
    retries: 2
    timeout: 10m
  - {name: look, taskRef: {name: count}, params: [{name: least, value: $(params.least)}]}
  - {name: warm, taskRef: {name: count}, matrix: {params: [{name: least, value: [1, 2]}]}, onError: continue}
  stages: [{name: all, clusterGroups: {all: true}}]
  finally:
  - {name: last, taskRef: {name: count}, params: [{name: least, value: $(tasks.look.results.found)}]}
---
apiVersion: sluice.dev/v1alpha1
kind: Task
metadata: {name: count}
spec:
  params: [{name: least, type: int}, {name: wait, type: duration, default: 1m}]
  results: [{name: found, type: int}]
  steps: [{name: units, gate: {cel: stage.units >= params.least}}]
`

func taskPipeline(t *testing.T) (*pipelines.Documents, *pipelines.Pipeline) {
	t.Helper()
	docs, err := pipelines.Parse(pipelines.Source{Name: "tasks.yaml", Data: []byte(taskDocuments)})
	if err != nil {
		t.Fatal(err)
	}
	return docs, docs.Pipelines["tasks"]
}

func TestTasksAreResolved(t *testing.T) {
	docs, p := taskPipeline(t)
	params, err := pipelines.BindParams(p, map[string]string{"who": "ann"})
	if err != nil {
		t.Fatal(err)
	}
	tasks, err := docs.ResolveTasks(p, params)
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, task := range tasks {
		order = append(order, task.Name)
	}
	if got := strings.Join(order, " "); got != "look warm report" {
		t.Errorf("they come as %s: each after what it waits for, else as in the file", got)
	}
	report := tasks[2]
	if diff := cmp.Diff([]string{"look", "warm"}, report.After); diff != "" {
		t.Errorf("it waits for what it reads, and for what it runs after (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"look"}, report.Reads); diff != "" {
		t.Errorf("it reads what its params and rules name (-want +got):\n%s", diff)
	}
	if w := report.When; len(w) != 2 || w[1].Input != "ann" || w[1].Values[0] != "ann" || w[1].Values[1] != "nobody" {
		t.Errorf("conditions with the pipeline's params in them: %+v", report.When)
	}
	if report.Retries != 2 || report.Timeout.Std() != 10*time.Minute || report.OnError != pipelines.StopAndFail {
		t.Errorf("%+v", report)
	}
	warm := tasks[1]
	if len(warm.Combinations) != 2 || !warm.Matrix || warm.OnError != pipelines.ContinueOnError {
		t.Errorf("%+v", warm)
	}
	final, err := docs.ResolveFinally(p, params)
	if err != nil || len(final) != 1 || len(final[0].After) != 0 || len(final[0].Reads) != 1 {
		t.Errorf("finally waits for no task of its own, and reads one: %+v, %v", final, err)
	}

	body, err := json.Marshal(tasks)
	if err != nil {
		t.Fatal(err)
	}
	var again []pipelines.ResolvedTask
	if err := json.Unmarshal(body, &again); err != nil {
		t.Fatal(err)
	}
	second, err := json.Marshal(again)
	if err != nil || string(second) != string(body) {
		t.Errorf("they change in JSON: %v\n%s\n%s", err, body, second)
	}
}

func TestParamsThatOtherTasksYield(t *testing.T) {
	docs, p := taskPipeline(t)
	tasks, err := docs.ResolveTasks(p, []pipelines.ParamValue{{Name: "least", Value: int64(2)}, {Name: "who", Value: "ann"}})
	if err != nil {
		t.Fatal(err)
	}
	report := tasks[2].Combinations[0]
	for _, c := range []struct {
		reason string
		found  any
		says   string
	}{
		{"what was found goes in", int64(7), ""},
		{"nothing was found", nil, "there is no $(tasks.look.results.found)"},
		{"something of another type was found", "seven", "must be of type int"},
	} {
		got, err := report.Bound(func(ref pipelines.TaskReference) (any, bool) {
			if ref != (pipelines.TaskReference{Task: "look", Of: "results", Result: "found"}) {
				t.Errorf("it asks for %+v", ref)
			}
			return c.found, c.found != nil
		})
		if c.says != "" {
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v, want %q", c.reason, err, c.says)
			}
			continue
		}
		want := []pipelines.ParamValue{{Name: "least", Value: int64(7)}, {Name: "wait", Value: 5 * time.Minute}}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", c.reason, err, diff)
		}
	}
}

func TestReferencesToTasks(t *testing.T) {
	for text, want := range map[string]pipelines.TaskReference{
		"$(tasks.pre-check.results.found)": {Task: "pre-check", Of: "results", Result: "found"},
		"$(tasks.a.status)":                {Task: "a", Of: "status"},
		"$(tasks.a.reason)":                {Task: "a", Of: "reason"},
		"$(tasks.status)":                  {Of: "status"},
	} {
		got, ok := pipelines.ReferenceOf(text)
		if !ok || got != want || got.String() != text {
			t.Errorf("%s is read as %+v, %t, and written as %s", text, got, ok, got)
		}
	}
	for _, text := range []any{"", "x", 3, "$(tasks.a)", "$(tasks.a.results)", "$(tasks.a.status.x)", "x$(tasks.status)", "$(tasks.A.status)"} {
		if got, ok := pipelines.ReferenceOf(text); ok {
			t.Errorf("%v is read as %+v", text, got)
		}
	}
}

func TestCombinationsOfAMatrix(t *testing.T) {
	type params = []pipelines.ParamValue
	two := []pipelines.MatrixParam{{Name: "os", Value: []any{"linux", "mac"}}, {Name: "go", Value: []any{int64(1), int64(2)}}}
	for _, c := range []struct {
		reason string
		matrix pipelines.Matrix
		want   string
	}{
		{"each with each", pipelines.Matrix{Params: two}, "os=linux go=1; os=linux go=2; os=mac go=1; os=mac go=2"},
		{
			"include adds to the combinations that it fits",
			pipelines.Matrix{Params: two, Include: []pipelines.MatrixInclude{{Params: params{{Name: "os", Value: "mac"}, {Name: "x", Value: true}}}}},
			"os=linux go=1; os=linux go=2; os=mac go=1 x=true; os=mac go=2 x=true",
		},
		{
			"to all, where it names none of their params",
			pipelines.Matrix{Params: two[:1], Include: []pipelines.MatrixInclude{{Params: params{{Name: "x", Value: "y"}}}}},
			"os=linux x=y; os=mac x=y",
		},
		{
			"and is one by itself where it fits none",
			pipelines.Matrix{Params: two[:1], Include: []pipelines.MatrixInclude{{Params: params{{Name: "os", Value: "bsd"}}}}},
			"os=linux; os=mac; os=bsd",
		},
		{
			"without params each include is one",
			pipelines.Matrix{Include: []pipelines.MatrixInclude{{Params: params{{Name: "os", Value: "a"}}}, {Params: params{{Name: "os", Value: "b"}}}}},
			"os=a; os=b",
		},
		{"a param without values leaves none", pipelines.Matrix{Params: append(two[:1:1], pipelines.MatrixParam{Name: "none"})}, ""},
	} {
		var all []string
		for _, one := range c.matrix.Combinations() {
			var words []string
			for _, v := range one {
				words = append(words, v.Name+"="+v.Text())
			}
			all = append(all, strings.Join(words, " "))
		}
		if got := strings.Join(all, "; "); got != c.want {
			t.Errorf("%s: %s, want %s", c.reason, got, c.want)
		}
	}
}
