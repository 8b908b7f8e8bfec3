package ci_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

// shipped is what people take over into their build systems.
const shipped = "../../deploy/ci"

func file(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(shipped, path))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// yamlDocuments reads YAML as JSON has it.
func yamlDocuments(t *testing.T, data []byte) (all []any) {
	t.Helper()
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc any
		if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		doc, err = jsonschema.UnmarshalJSON(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, doc)
	}
}

// gitLabSchema is GitLab's schema of its configuration.
func gitLabSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(file(t, "testdata/gitlab-ci.schema.json")))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("gitlab.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("gitlab.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestTheComponentIsAsGitLabReadsIt(t *testing.T) {
	schema := gitLabSchema(t)
	component := file(t, "gitlab/templates/sluice.yml")
	docs := yamlDocuments(t, component)
	if len(docs) != 2 {
		t.Fatalf("the component has %d documents, and not a head and a body", len(docs))
	}
	docs = append(docs, yamlDocuments(t, file(t, "gitlab/examples/gitlab-ci.yml"))...)
	for i, doc := range docs {
		if err := schema.Validate(doc); err != nil {
			t.Errorf("document %d: %v", i+1, err)
		}
	}
	for reason, doc := range map[string]string{
		"a keyword that there is not": "job: {script: [a], id_token: {A: {aud: b}}}", "a token for nobody": "job: {script: [a], id_tokens: {A: {}}}",
		"a report that there is not": "job: {script: [a], artifacts: {reports: {dotenv: [1]}}}",
	} {
		if err := schema.Validate(yamlDocuments(t, []byte(doc))[0]); err == nil {
			t.Errorf("%s is taken", reason)
		}
	}
	used := usedInputs(string(component), `\$\[\[ inputs\.([a-z0-9-]+) \]\]`)
	if said := names(docs[0], "spec", "inputs"); !slices.Equal(used, said) {
		t.Errorf("the component uses the inputs %v, and has %v", used, said)
	}
	for _, include := range docs[2].(map[string]any)["include"].([]any) {
		for _, name := range names(include, "inputs") {
			if !slices.Contains(used, name) {
				t.Errorf("the example gives the input %s, which there is not", name)
			}
		}
	}
}

// usedInputs lists what a pattern finds, each once and sorted.
func usedInputs(text, pattern string) (all []string) {
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// names lists the keys of a mapping in a document, sorted.
func names(in any, path ...string) (all []string) {
	for _, step := range path {
		in = in.(map[string]any)[step]
	}
	for name := range in.(map[string]any) {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func TestTheActionUsesItsInputs(t *testing.T) {
	text := file(t, "github/action.yml")
	doc := yamlDocuments(t, text)[0]
	used := usedInputs(string(text), `inputs\.([a-z0-9-]+)`)
	if said := names(doc, "inputs"); !slices.Equal(used, said) {
		t.Errorf("the action uses the inputs %v, and has %v", used, said)
	}
	for _, step := range doc.(map[string]any)["runs"].(map[string]any)["steps"].([]any) {
		if script := step.(map[string]any)["run"].(string); strings.Contains(script, "${{") {
			t.Error("a script of the action has a text of somebody else in it: give it a variable")
		}
	}
}

// TestWorkflowsAreAsActionlintWantsThem checks the action by those who use it.
func TestWorkflowsAreAsActionlintWantsThem(t *testing.T) {
	program, err := filepath.Abs("../../bin/tools/actionlint")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		if os.Getenv("SLUICE_REQUIRE") == "all" {
			t.Fatal("there is no actionlint: make tools")
		}
		t.Skip("there is no actionlint: make tools")
	}
	// Actions of others are known to it by their names; ours is read from where workflows find it.
	root := t.TempDir()
	for _, dir := range []string{".git", ".github/workflows", "deploy/ci"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(filepath.Join(root, "deploy/ci/github"), os.DirFS(filepath.Join(shipped, "github"))); err != nil {
		t.Fatal(err)
	}
	examples, err := filepath.Glob(filepath.Join(shipped, "github/examples/*.yml"))
	if err != nil || len(examples) < 3 {
		t.Fatalf("there are %d examples, %v", len(examples), err)
	}
	lint := func(name string, text []byte) (string, bool) {
		t.Helper()
		path := filepath.Join(root, ".github/workflows", name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), program, "-shellcheck=", "-pyflakes=", "-no-color", path)
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		return string(out), err == nil
	}
	for _, example := range examples {
		text, err := os.ReadFile(example)
		if err != nil {
			t.Fatal(err)
		}
		if out, ok := lint(filepath.Base(example), text); !ok {
			t.Errorf("%s:\n%s", example, out)
		}
	}
	wrong := []byte(strings.Replace(string(file(t, "github/examples/plan.yml")), "          server:", "          servre:", 1))
	if out, ok := lint("wrong.yml", wrong); ok || !strings.Contains(out, `input "servre" is not defined in action "Sluice"`) {
		t.Errorf("an input that there is not is taken:\n%s", out)
	}
}
