package pipelines_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/pipelines"
)

func TestGather(t *testing.T) {
	const component = "apiVersion: sluice.dev/v1alpha1\nkind: Component\nmetadata: {name: agent}\nspec: {version: 1.0.0, template: {%}}\n"
	for name, c := range map[string]struct {
		reason string
		files  map[string]string
		want   []string
	}{
		"a chart and its values": {
			reason: "the folder is packed whole",
			files:  map[string]string{"a.yaml": strings.ReplaceAll(component, "%", "chart: chart"), "chart/Chart.yaml": "name: x\n"},
			want:   []string{"a.yaml", "chart"},
		},
		"manifests, and a document that is no component": {
			reason: "only components have templates",
			files: map[string]string{
				"a.yaml":   strings.ReplaceAll(component, "%", "manifests: ../all/m") + "---\nkind: Cluster\nspec: {template: {chart: m}}\n",
				"m/d.yaml": "kind: DaemonSet\n",
			},
			want: []string{"a.yaml", "m/d.yaml", "m"},
		},
		"a template that is not there": {
			reason: "the check says so at its place",
			files:  map[string]string{"a.yaml": strings.ReplaceAll(component, "%", "chart: nowhere")}, want: []string{"a.yaml"},
		},
		"a path from the root": {
			reason: "no document may name one, and nothing of it is sent",
			files:  map[string]string{"a.yaml": strings.ReplaceAll(component, "%", "manifests: /etc")}, want: []string{"a.yaml"},
		},
		"a file that does not parse": {
			reason: "the check says what is wrong with it",
			files:  map[string]string{"a.yaml": "kind: Component\nspec: [\n"}, want: []string{"a.yaml"},
		},
		"a component in the second half of a broken file": {
			reason: "what parses counts",
			files: map[string]string{
				"a.yaml": "a: [\n---\n" + strings.ReplaceAll(component, "%", "manifests: m"), "m/d.txt": "",
			},
			want: []string{"a.yaml", "m"},
		},
		"what is no document": {
			reason: "hidden files and other files are not sent",
			files:  map[string]string{"a.yml": "kind: Cluster\n", ".env": "secret", "notes.md": "Component", ".git/config.yaml": ""},
			want:   []string{"a.yml"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "all")
			for file, text := range c.files {
				path := filepath.Join(dir, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			found, err := pipelines.Gather(dir)
			if err != nil {
				t.Fatal(err)
			}
			for i := range found {
				found[i], _ = filepath.Rel(dir, found[i])
			}
			if diff := cmp.Diff(c.want, found); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
		})
	}
	if _, err := pipelines.Gather(t.TempDir()); err == nil || !strings.Contains(err.Error(), "there is no *.yaml") {
		t.Errorf("a folder without documents: %v", err)
	}
}
