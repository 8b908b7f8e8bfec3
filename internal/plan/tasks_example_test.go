package plan_test

import (
	"bytes"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/catalog"
)

// TestTheExampleWithTasksPlans: the one documented pipeline with tasks is planned as it stands, and prints what it hands out.
func TestTheExampleWithTasksPlans(t *testing.T) {
	docs, err := pipelines.Loader{Library: catalog.Sources()}.Load("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	pipeline := docs.Pipelines["with-tasks"]
	params, err := pipelines.BindParams(pipeline, map[string]string{"mirrors": "a,b,c"})
	if err != nil {
		t.Fatal(err)
	}
	p := build(t, plan.Input{
		Documents: docs, Pipeline: pipeline, Params: params, Component: docs.Components["node-agent"][0], Template: "sha256:t",
		Values: func(pipelines.Place) (string, error) { return "sha256:v", nil },
	})
	var out bytes.Buffer
	if err := plan.Render(&out, p, nil, plan.RenderOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"mirror-has-it     in e2e-1; 3 combinations; a failure counts as nothing",
		"notes-say-enough  after read-notes; ",
		"areas    $(tasks.read-notes.results.areas[*])",
		"author   $(tasks.read-notes.results.notes.author)",
		"summary  $(tasks.sum-up.results.text)",
	} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("it does not print %q:\n%s", line, out.String())
		}
	}
}
