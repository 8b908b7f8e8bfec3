package demo

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/patch"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

const root = "../.."

func text(t *testing.T, name string) string {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// blocks are the code blocks of a document, by what stands after their opening fence.
func blocks(document string) [][]string {
	return regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$").FindAllStringSubmatch(document, -1)
}

func TestReadmeBeginsWithTwoCommands(t *testing.T) {
	if diff := cmp.Diff("make demo\nmake test\n", blocks(text(t, "README.md"))[0][2]); diff != "" {
		t.Errorf("the first code block: -want +got:\n%s", diff)
	}
}

// TestReadmePipeline loads the pipeline that the README explains.
func TestReadmePipeline(t *testing.T) {
	for _, b := range blocks(text(t, "README.md")) {
		if b[1] != "yaml" || !strings.Contains(b[2], "kind: Pipeline") {
			continue
		}
		_, err := pipelines.Parse(
			pipelines.Source{Name: "README.md", Data: []byte(b[2])},
			pipelines.Source{Name: "task", Data: []byte(text(t, "examples/tasks/pods-stay-healthy.yaml"))},
			pipelines.Source{Name: "fleet", Data: []byte(text(t, "examples/fleet/fleet.yaml"))},
		)
		if err != nil {
			t.Error(err)
		}
		return
	}
	t.Error("the README has no pipeline")
}

// TestLinks follows the links of documents to files of the repository.
func TestLinks(t *testing.T) {
	names, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	records, err := filepath.Glob(filepath.Join(root, "docs", "decisions", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	names = append(append(names, records...), filepath.Join(root, "README.md"), filepath.Join(root, "CONTRIBUTING.md"))
	link := regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`)
	for _, name := range names {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range link.FindAllStringSubmatch(string(body), -1) {
			if strings.HasPrefix(found[1], "https://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), found[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", name, found[1])
			}
		}
	}
}

// TestGatesNameEveryFact keeps the table of facts whole.
func TestGatesNameEveryFact(t *testing.T) {
	document := text(t, "docs/gates.md")
	for fact := range reflect.TypeFor[rule.Facts]().Fields() {
		name := fact.Tag.Get("json")
		for field := range fact.Type.Fields() {
			whole, short := name+"."+field.Tag.Get("cel"), "`."+field.Tag.Get("cel")+"`"
			if !strings.Contains(document, whole) && !strings.Contains(document, short) {
				t.Errorf("docs/gates.md does not name %s", whole)
			}
		}
	}
}

// TestLanguageNamesEveryRule keeps the table of forbidden changes whole.
func TestLanguageNamesEveryRule(t *testing.T) {
	document := text(t, "docs/language.md")
	for _, r := range patch.Rules() {
		if !strings.Contains(document, "| `"+string(r.Rule)+"` | "+r.Reason+" |") {
			t.Errorf("docs/language.md does not say of %s: %s", r.Rule, r.Reason)
		}
	}
}
