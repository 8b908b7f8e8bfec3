package policy_test

import (
	"os"
	"path/filepath"
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
		"../../examples/pipelines/asked.yaml":    {"interval", "soak.batch.first", "soak.batch.rest"},
		"../../examples/pipelines/install.yaml": {
			"checks", "checks", "firstBatch", "interval", "maxBatch", "maxConcurrency", "mustPass", "order", "pausable",
			"soak.batch.first", "soak.batch.rest",
		},
		"../../examples/pipelines/node-agent.yaml": {"interval", "maxBatch", "maxConcurrency", "soak.batch.first", "soak.batch.rest"},
		"../../examples/pipelines/probes.yaml": {
			"checks", "checks", "firstBatch", "interval", "maxBatch", "maxConcurrency", "pausable", "soak.batch.first", "soak.batch.rest",
		},
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

// TestLintJudgesWhatVersionsName: an older version of a component may name a pipeline that the newest does not, and a pipeline of the library
// is judged for whoever names it, and said there.
func TestLintJudgesWhatVersionsName(t *testing.T) {
	text := fleet() + tasks
	for _, d := range []string{
		"kind: Pipeline\nmetadata: {name: old}\nspec: {onFailure: Continue, " + stagesOf("", "production") + "}",
		"kind: Pipeline\nmetadata: {name: new}\nspec: {onFailure: Pause, " + stagesOf("", "production") + "}",
		"kind: Policy\nmetadata: {name: floor}\nspec: {components: [agent], onFailure: [Pause]}",
		"kind: Policy\nmetadata: {name: quick}\nspec: {components: [proxy], maxFailures: 0, soak: {batch: 1d}}",
		"kind: Component\nmetadata: {name: agent}\nspec: {version: 1.0.0, template: {manifests: chart}, pipeline: old}",
		"kind: Component\nmetadata: {name: agent}\nspec: {version: 1.0.1, template: {manifests: chart}, pipeline: old}",
		"kind: Component\nmetadata: {name: agent}\nspec: {version: 2.0.0, template: {manifests: chart}, pipeline: new}",
		"kind: Component\nmetadata: {name: proxy}\nspec: {version: 1.0.0, template: {manifests: chart}, pipeline: gradual}",
	} {
		text += "---\n" + header + d + "\n"
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "chart"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "all.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	docs, err := pipelines.Loader{Library: catalog.Sources()}.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := policy.Lint(docs)
	var got []string
	for _, d := range found.Errors {
		got = append(got, d.Message)
		if strings.Contains(d.Message, "quick") && d.Position != docs.Components["proxy"][0].Position {
			t.Errorf("it says %s at %s", d.Message, d.Position)
		}
	}
	all := strings.Join(got, "\n")
	if !strings.Contains(all, "policy floor, onFailure: the run: wanted is Pause, found is Continue") || strings.Count(all, "policy floor") != 1 {
		t.Errorf("of the older versions it says\n%s", all)
	}
	if !strings.Contains(all, "policy quick, soak.batch.first: stage production: wanted is at least 1d, found is 30m") {
		t.Errorf("of the catalog's pipeline it says\n%s\nand warns of %v", all, found.Warnings)
	}
}
