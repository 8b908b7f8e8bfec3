package remote_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"sluice.dev/sluice/internal/bundle"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/templates"
)

// TestATemplateIsTheSameAtTheServer: a target has one digest, whether a server renders it or this machine.
func TestATemplateIsTheSameAtTheServer(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"all.yaml": "apiVersion: sluice.dev/v1alpha1\nkind: Component\nmetadata: {name: a}\nspec: {version: 1.0.0, template: {chart: chart}}\n---\n" +
			"apiVersion: sluice.dev/v1alpha1\nkind: Component\nmetadata: {name: b}\nspec: {version: 1.0.0, template: {manifests: plain}}\n",
		"chart/Chart.yaml": "name: a\nversion: 1.0.0\n", "chart/templates/a.yaml": "kind: ConfigMap\n", "chart/README.md": "read me",
		"chart/files/hook.sh": "#!/bin/sh\n", "chart/.helmignore": "*.tmp\n", "chart/x.tmp": "left out",
		"plain/a.yaml": "kind: ConfigMap\n", "plain/b/c.json": "{}", "plain/d.tpl": "", "plain/README.md": "read me", "plain/.hidden.txt": "no",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o644)
		if filepath.Ext(name) == ".sh" {
			mode = 0o755
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	files, err := pipelines.Gather(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	packed, err := bundle.Pack([]string{dir}, files)
	if err != nil {
		t.Fatal(err)
	}
	there := t.TempDir()
	if err := bundle.Unpack(packed.Archive, there); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"chart", "plain"} {
		here, err := templates.Pack(filepath.Join(dir, folder))
		if err != nil {
			t.Fatal(err)
		}
		sent, err := templates.Pack(filepath.Join(there, folder))
		if err != nil || !bytes.Equal(here, sent) {
			t.Errorf("%s is another template there: %v", folder, err)
		}
	}
}
