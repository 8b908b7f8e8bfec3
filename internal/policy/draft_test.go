package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/policy"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/catalog"
)

// TestTheRedLineAndTheExamples: the policy that ships is kept by the careful pipeline, and each other one is told what it undercuts.
func TestTheRedLineAndTheExamples(t *testing.T) {
	docs, err := pipelines.Loader{Library: catalog.Sources()}.Load("../../examples", "../../deploy/policies/red-line.yaml")
	if err != nil {
		t.Fatal(err)
	}
	found := policy.Lint(docs)
	rules := map[string][]string{}
	for _, d := range found.Errors {
		rule, _, _ := strings.Cut(strings.TrimPrefix(d.Message, "policy red-line, "), ":")
		rules[d.Position.File] = append(rules[d.Position.File], rule)
	}
	want := map[string][]string{
		"../../examples/pipelines/approved.yaml": {"interval", "soak.batch.first", "soak.batch.rest"},
		"../../examples/pipelines/install.yaml": {
			"checks", "checks", "firstBatch", "interval", "maxBatch", "maxConcurrency", "mustPass", "order", "pausable",
			"soak.batch.first", "soak.batch.rest",
		},
		"../../examples/pipelines/node-agent.yaml": {"interval", "maxBatch", "maxConcurrency", "soak.batch.first", "soak.batch.rest"},
		"../../examples/pipelines/with-tasks.yaml": {"interval", "mustPass", "order", "soak.batch.first", "soak.batch.rest"},
	}
	if diff := cmp.Diff(want, rules); diff != "" {
		t.Errorf("-want +got:\n%s\n%v", diff, found.Errors)
	}
	if len(found.Warnings) != 1 || !strings.Contains(found.Warnings[0].String(), "watched.yaml") { // whose DataSource is elsewhere
		t.Errorf("it warns of %v", found.Warnings)
	}
}

// TestLintNeedsAFleet: it says so, and does not call right what it has not judged.
func TestLintNeedsAFleet(t *testing.T) {
	docs, err := pipelines.Parse(pipelines.Source{Name: "a.yaml", Data: []byte(header + "kind: Policy\nmetadata: {name: floor}\nspec: {wayBack: true}\n")})
	if err != nil {
		t.Fatal(err)
	}
	found := policy.Lint(docs)
	if len(found.Errors) > 0 || len(found.Warnings) != 1 || !strings.Contains(found.Warnings[0].Message, "there is no cluster among the documents") {
		t.Errorf("it says %v and warns of %v", found.Errors, found.Warnings)
	}
}

// TestLintTellsWhere: a rule that is broken is said at its stage, and a pipeline with params of every type is judged.
func TestLintTellsWhere(t *testing.T) {
	params := "params: [{name: a}, {name: b, type: int}, {name: c, type: duration}, {name: d, type: bool}, {name: e, type: array}, " +
		"{name: f, type: object, properties: {k: {type: string}}}, {name: g, type: double}], "
	docs := load(t, params+"onFailure: Continue, "+stagesOf("", "canary", "production"), "soak: {stage: 1h}, onFailure: [Pause], environments: [production]")
	found := policy.Lint(docs)
	if len(found.Warnings) > 0 || len(found.Errors) != 2 {
		t.Fatalf("it says %v and warns of %v", found.Errors, found.Warnings)
	}
	pipeline := docs.Pipelines["p"]
	if found.Errors[0].Position != pipeline.Position || found.Errors[1].Position != pipeline.Stage("production").Position {
		t.Errorf("it says %v", found.Errors)
	}
}
