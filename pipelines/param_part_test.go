package pipelines_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/pipelines"
)

const partDocuments = `apiVersion: sluice.dev/v1alpha1
kind: Pipeline
metadata: {name: parts}
spec:
  params: [{name: hosts, type: array}, {name: link, properties: {url: {}, text: {}}, default: {text: t}}]
  tasks:
  - {name: each, taskRef: {name: ask}, params: [{name: link, value: {url: x}}], matrix: {params: [{name: who, value: ["$(params.hosts[*])", last]}]}}
  - name: some
    taskRef: {name: ask}
    params: [{name: hosts, value: "$(tasks.find.results.hosts[*])"}, {name: link, value: $(tasks.find.results.link)}, {name: who, value: "$(tasks.find.results.hosts[1])"}]
  - name: own
    taskRef: {name: ask}
    params: [{name: hosts, value: [first, "$(params.hosts[*])", $(params.link.url)]}, {name: link, value: {url: "$(params.hosts[0])", text: $(params.link.text)}}, {name: who, value: $(params.link.text)}]
    when: [{input: "$(params.hosts[0])", operator: in, values: [$(params.link.url)]}]
  - {name: find, cluster: c1, taskRef: {name: find}}
  stages: [{name: all, clusterGroups: {all: true}}]
---
apiVersion: sluice.dev/v1alpha1
kind: Task
metadata: {name: ask}
spec:
  params: [{name: hosts, default: [h]}, {name: link, properties: {url: {}, text: {}}, default: {text: own}}, {name: who}]
  steps: [{name: a, gate: {cel: params.who in params.hosts}}]
---
apiVersion: sluice.dev/v1alpha1
kind: Task
metadata: {name: find}
spec:
  params: [{name: args, default: [a, $HOME, "b c"]}, {name: link, properties: {url: {}}, default: {url: u}}]
  results: [{name: hosts, type: array}, {name: link, properties: {url: {}}}]
  steps:
  - name: run
    image: tools:1
    command: [find]
    args: ["--url=$(params.link.url)", "$(params.args[*])", "$(params.args[2])", "$(params.args[*])"]
---
apiVersion: sluice.dev/v1alpha1
kind: ClusterGroup
metadata: {name: g}
spec: {environment: e2e}
---
apiVersion: sluice.dev/v1alpha1
kind: Cluster
metadata: {name: c1}
spec: {group: g}
`

func resolvedParts(t *testing.T, given map[string]string) (map[string]pipelines.ResolvedTask, error) {
	t.Helper()
	docs, err := pipelines.Parse(pipelines.Source{Name: "parts.yaml", Data: []byte(partDocuments)})
	if err != nil {
		t.Fatal(err)
	}
	params, err := pipelines.BindParams(docs.Pipelines["parts"], given)
	if err != nil {
		return nil, err
	}
	tasks, err := docs.ResolveTasks(docs.Pipelines["parts"], params)
	byName := map[string]pipelines.ResolvedTask{}
	for _, task := range tasks {
		data, err := json.Marshal(task)
		if err != nil {
			t.Fatal(err)
		}
		var again pipelines.ResolvedTask
		if err := json.Unmarshal(data, &again); err != nil {
			t.Fatal(err)
		}
		byName[task.Name] = again
	}
	return byName, err
}

func TestArraysAndObjectsAreGivenOn(t *testing.T) {
	tasks, err := resolvedParts(t, map[string]string{"hosts": "a,b", "link": "url=a"})
	if err != nil {
		t.Fatal(err)
	}
	each := tasks["each"].Combinations
	var who []string
	for _, c := range each {
		who = append(who, c.Params[2].Text())
	}
	if got := strings.Join(who, " "); got != "a b last" {
		t.Errorf("a matrix over the items of an array is of %s", got)
	}
	if got := each[0].Params[1].Text(); got != `{"text":"own","url":"x"}` {
		t.Errorf("what is not given of an object is its default: %s", got)
	}
	yielded := map[string]any{"hosts": []string{"x", "y"}, "link": map[string]string{"url": "u"}}
	bound, err := tasks["some"].Combinations[0].Bound(func(ref pipelines.TaskReference) (any, bool) { return ref.In(yielded[ref.Result]) })
	want := []pipelines.ParamValue{
		{Name: "hosts", Value: []string{"x", "y"}}, {Name: "link", Value: map[string]string{"url": "u", "text": "own"}}, {Name: "who", Value: "y"},
	}
	if diff := cmp.Diff(want, bound); err != nil || diff != "" {
		t.Errorf("what another task yields: %v (-want +got):\n%s", err, diff)
	}
	yielded["hosts"] = []string{"x"}
	if _, err = tasks["some"].Combinations[0].Bound(func(ref pipelines.TaskReference) (any, bool) { return ref.In(yielded[ref.Result]) }); err == nil ||
		!strings.Contains(err.Error(), "there is no $(tasks.find.results.hosts[1])") {
		t.Errorf("an item that is not there: %v", err)
	}
	own := tasks["own"]
	want = []pipelines.ParamValue{
		{Name: "hosts", Value: []string{"first", "a", "b", "a"}}, {Name: "link", Value: map[string]string{"url": "a", "text": "t"}}, {Name: "who", Value: "t"},
	}
	if diff := cmp.Diff(want, own.Combinations[0].Params); diff != "" || own.When[0].Input != "a" || own.When[0].Values[0] != "a" {
		t.Errorf("%+v (-want +got):\n%s", own.When, diff)
	}
}

func TestItemsOfAnArrayAreArguments(t *testing.T) {
	tasks, err := resolvedParts(t, map[string]string{"hosts": "a", "link": "url=a"})
	if err != nil {
		t.Fatal(err)
	}
	step := tasks["find"].Check.Steps[0]
	for items, want := range map[string]string{
		`["$(params.args[*])","$HOME"]`: `["--url=u","$(params.args[*])","$HOME","z","$(params.args[*])","$HOME"]`,
		`[]`:                            `["--url=u","z"]`,
	} {
		var args []string
		if err := json.Unmarshal([]byte(items), &args); err != nil {
			t.Fatal(err)
		}
		values := map[string]any{"params.args": args, "params.link": map[string]string{"url": "u"}}
		step := step
		job := *step.Job
		job.Args = append([]string{}, job.Args...)
		job.Args[2] = "z"
		step.Job = &job
		out, err := step.Expanded(func(name string) (any, bool) { v, ok := values[name]; return v, ok })
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := json.Marshal(out.Job.Args); string(got) != want {
			t.Errorf("%s: %s, want %s: an item is no text to expand", items, got, want)
		}
	}
	if _, err := step.Expanded(func(string) (any, bool) { return []string{"a"}, true }); err == nil ||
		!strings.Contains(err.Error(), "cannot expand $(params.link.url): it is of type array") {
		t.Errorf("a key of an array: %v", err)
	}
}

func TestArraysAndObjectsFromACommandLine(t *testing.T) {
	for _, c := range []struct{ hosts, link, says string }{
		{`["a", "b,c"]`, `{"url": "u"}`, ""},
		{"", "url=a=b, text=x", "param hosts of the pipeline has no item [0], it has 0"}, // no item for the condition
		{"a", "text=t", "param link of pipeline parts has no key url"},
		{"a", "url", `param link of pipeline parts must be of type object, such as key=value,key=value or JSON, not "url"`},
		{"[a", "url=a", "param hosts of pipeline parts is no value"},
		{strings.Repeat("x", 4097), "url=a", "param hosts of pipeline parts is longer than 4096 bytes"},
		{strings.Repeat("x,", 255) + "x", "url=a", "its matrix has 257 combinations"},
	} {
		_, err := resolvedParts(t, map[string]string{"hosts": c.hosts, "link": c.link})
		switch {
		case c.says == "" && err != nil, c.says != "" && err == nil:
			t.Errorf("%.40s %s: %v, want %q", c.hosts, c.link, err, c.says)
		case err != nil && !strings.Contains(err.Error(), c.says):
			t.Errorf("%.40s %s: %v, want %q", c.hosts, c.link, err, c.says)
		}
	}
	if _, err := resolvedParts(t, map[string]string{"hosts": "a"}); err == nil || !strings.Contains(err.Error(), "it has no default of url") {
		t.Errorf("a default of some keys: %v", err)
	}
}
