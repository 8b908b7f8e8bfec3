package pipelines_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/txtar"

	"sluice.dev/sluice/pipelines"
)

// FuzzLoad holds the loader to what it promises of any input: it does not panic, what is wrong it says as
// Diagnostics, sorted, each inside of the file, and what it accepts is usable.
func FuzzLoad(f *testing.F) {
	archives, err := filepath.Glob("testdata/load/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range archives {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range txtar.Parse(data).Files {
			f.Add(file.Data)
		}
	}
	for _, text := range []string{
		"", "---", "\xef\xbb\xbfa: 1", "a: \xff", "\x00", "a: &a [*a]", "? [a]: b", "%YAML 1.1\n---\na: 1", "a: |9\n", "- !!binary x", "a: \"\\",
		"apiVersion: sluice.dev/v1alpha1\nkind: Cluster\nmetadata: &m {name: a}\nspec: *m",
		"apiVersion: sluice.dev/v1alpha1\r\nkind: Task\r\nmetadata: {name: a}\r\nspec:\r\n  steps:\r\n  - name: b\r\n    gate:\r\n      cel: |\r\n        workload.x ==\r\n        1\r\n",
		"apiVersion: &v sluice.dev/v1alpha1\nkind: &k Fleet\nmetadata: {name: f}\nspec: {environments: &e [a, b]}\n---\napiVersion: sluice.dev/v1alpha1\nkind: Fleet",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 64<<10 {
			t.Skip("long inputs find nothing that short ones do not")
		}
		docs, err := pipelines.Parse(pipelines.Source{Name: "fuzz.yaml", Data: data})
		if err == nil {
			usable(t, docs)
			return
		}
		var found pipelines.Diagnostics
		if !errors.As(err, &found) || len(found) == 0 {
			t.Fatalf("Parse(%q): the error is no Diagnostics: %v", data, err)
		}
		lines := strings.Count(strings.ReplaceAll(string(data), "\r", "\n"), "\n") + 2
		if strings.ContainsAny(string(data), "\u0085\u2028\u2029") {
			lines += len(data) // YAML has more line breaks than this test
		}
		for i, d := range found {
			if d.Message == "" || !utf8.ValidString(d.Message) {
				t.Errorf("Parse(%q): the message %q is no text", data, d.Message)
			}
			if d.Position.Line < 0 || d.Position.Line > lines || d.Position.Line > 0 && d.Position.Column < 1 {
				t.Errorf("Parse(%q): position %s is not in the file", data, d.Position)
			}
			if i > 0 && (found[i-1].Position.Line > d.Position.Line) {
				t.Errorf("Parse(%q): %s comes after %s", data, d, found[i-1])
			}
		}
	})
}

func usable(t *testing.T, docs *pipelines.Documents) {
	if docs.Fleet == nil {
		t.Error("accepted documents have no fleet")
	}
	for _, p := range docs.Pipelines {
		var params []pipelines.ParamValue
		for _, param := range p.Spec.Params {
			if param.Default == nil {
				return // not resolvable without values
			}
			params = append(params, pipelines.ParamValue{Name: param.Name, Value: param.Default})
		}
		for i := range p.Spec.Stages {
			r := p.EffectiveRules(&p.Spec.Stages[i])
			if !r.NodeSets[len(r.NodeSets)-1].All || r.Batches[len(r.Batches)-1] != pipelines.Percent(100) {
				t.Errorf("accepted stage does not end in everything: %v %v", r.NodeSets, r.Batches)
			}
			if _, err := docs.ResolveChecks(p, &p.Spec.Stages[i], params); err != nil {
				t.Errorf("accepted checks do not resolve: %v", err)
			}
		}
	}
	for _, c := range docs.Clusters {
		if docs.ClusterGroups[c.Spec.Group] == nil {
			t.Errorf("accepted cluster %s has no group", c.Metadata.Name)
		}
	}
}
