package lint_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"sluice.dev/sluice/internal/lint"
	"sluice.dev/sluice/pipelines"
)

var update = flag.Bool("update", false, "write what lint finds into testdata")

// TestCheckGolden checks the files of each archive under testdata, and compares what is found with its last file, want.
func TestCheckGolden(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("cannot find archives: %v", err)
	}
	home, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(filepath.Join(home, path))
			if err != nil {
				t.Fatal(err)
			}
			last := len(archive.Files) - 1
			if archive.Files[last].Name != "want" {
				t.Fatalf("the last file is %s, not want", archive.Files[last].Name)
			}
			load(t, archive.Files[:last])
			docs, err := pipelines.Load("fleet")
			if err != nil {
				t.Fatal(err)
			}
			found := lint.Check(docs, lint.Options{})
			got := ""
			for _, d := range found.Errors {
				got += d.String() + "\n"
			}
			for _, d := range found.Warnings {
				got += "warning: " + d.String() + "\n"
			}
			if *update {
				archive.Files[last].Data = []byte(got)
				if err := os.WriteFile(filepath.Join(home, path), txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(archive.Files[last].Data), got); diff != "" {
				t.Errorf("%s\nfound (-want +got):\n%s", archive.Comment, diff)
			}
		})
	}
}

// load writes files into the folder fleet of a new working folder.
func load(t *testing.T, files []txtar.File) {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		path := filepath.Join(dir, "fleet", f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
}

func TestKubeVersionIsThatOfTheClientLibrary(t *testing.T) {
	data, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^\s*k8s\.io/client-go v0\.(\d+)\.`).FindSubmatch(data)
	if found == nil || lint.KubeVersion != "v1."+string(found[1])+".0" {
		t.Errorf("lint renders for %s, and the client library is of v1.%s", lint.KubeVersion, found[1])
	}
}

func TestWhatIsTrueOfManyClustersIsToldOnce(t *testing.T) {
	var fleet strings.Builder
	fleet.WriteString("apiVersion: sluice.dev/v1alpha1\nkind: ClusterGroup\nmetadata: {name: g}\nspec: {environment: production}\n")
	for i := range 200 {
		fmt.Fprintf(&fleet, "---\napiVersion: sluice.dev/v1alpha1\nkind: Cluster\nmetadata: {name: c-%03d}\nspec: {group: g}\n", i)
	}
	load(t, []txtar.File{
		{Name: "fleet.yaml", Data: []byte(fleet.String())},
		{Name: "component.yaml", Data: []byte("apiVersion: sluice.dev/v1alpha1\nkind: Component\nmetadata: {name: a}\nspec:\n  version: 1.0.0\n  template: {manifests: a}\n  config: {fleet: {x: 1}, clusters: {c-007: {x: 2}}}\n")},
		{Name: "a/a.yaml", Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: {{ .Values.x }}}\n")},
	})
	docs, err := pipelines.Load("fleet")
	if err != nil {
		t.Fatal(err)
	}
	found := lint.Check(docs, lint.Options{})
	want := pipelines.Diagnostics{{
		Position: pipelines.Position{File: "fleet/a/a.yaml", Line: 4, Column: 8},
		Message:  "ConfigMap/a/a: data.x is a number, and a text is wanted (a 1.0.0 in c-000 and 199 more, fleet/component.yaml:1:1)",
	}}
	if diff := cmp.Diff(want, found.Errors); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestKindsAreThoseOfTheVersionAskedFor(t *testing.T) {
	budget := "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: a}\nspec: {maxUnavailable: 1}\n"
	asks := "{{ if not (.Capabilities.APIVersions.Has \"policy/v1beta1/PodDisruptionBudget\") }}{{ fail \"gone\" }}{{ end }}"
	for name, c := range map[string]struct {
		manifest, version string
		want              string
	}{
		"gone":                      {budget, "", "fleet/a/a.yaml:2:1: PodDisruptionBudget/a/a: Kubernetes has no PodDisruptionBudget in policy/v1beta1 from v1.25 on; it is in policy/v1"},
		"there in an older one":     {budget, "v1.24.0", ""},
		"not yet there":             {strings.Replace(budget, "v1beta1", "v1", 1), "v1.20.0", "Kubernetes has PodDisruptionBudget in policy/v1 from v1.21 on, and this is for v1.20.0"},
		"asked for, and gone":       {asks, "", "fleet/a/a.yaml:1:85: executing"},
		"asked for in an older one": {asks, "v1.24.0", ""},
	} {
		t.Run(name, func(t *testing.T) {
			load(t, []txtar.File{
				{Name: "c.yaml", Data: []byte("apiVersion: sluice.dev/v1alpha1\nkind: Component\nmetadata: {name: a}\nspec: {version: 1.0.0, template: {manifests: a}}\n")},
				{Name: "a/a.yaml", Data: []byte(c.manifest)},
			})
			docs, err := pipelines.Load("fleet")
			if err != nil {
				t.Fatal(err)
			}
			found := lint.Check(docs, lint.Options{KubeVersion: c.version})
			if got := found.Errors.Error(); c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
}
