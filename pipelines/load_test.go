package pipelines_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"sluice.dev/sluice/pipelines"
)

var update = flag.Bool("update", false, "write the diagnostics that the loader gives into testdata")

// TestLoadGolden loads the files of each archive under testdata/load, and compares the diagnostics with its last
// file, want. An archive whose want is empty, or holds nothing but warnings, loads.
func TestLoadGolden(t *testing.T) {
	archives, err := filepath.Glob("testdata/load/*.txtar")
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
			dir := t.TempDir()
			for _, f := range archive.Files[:last] {
				writeFile(t, filepath.Join(dir, "fleet", f.Name), f.Data)
			}
			t.Chdir(dir)

			got := ""
			docs, err := pipelines.Load("fleet")
			if err != nil {
				got = err.Error() + "\n"
			} else {
				for _, w := range docs.Warnings {
					got += "warning: " + w.String() + "\n"
				}
			}
			if *update {
				archive.Files[last].Data = []byte(got)
				if err := os.WriteFile(filepath.Join(home, path), txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(archive.Files[last].Data), got); diff != "" {
				t.Errorf("%s\ndiagnostics (-want +got):\n%s", archive.Comment, diff)
			}
		})
	}
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// mustParse parses documents that share the apiVersion, each given without it.
func mustParse(t *testing.T, docs ...string) *pipelines.Documents {
	t.Helper()
	parsed, err := pipelines.Parse(source(docs...))
	if err != nil {
		t.Fatalf("Parse(...): %v", err)
	}
	return parsed
}

func source(docs ...string) pipelines.Source {
	var b strings.Builder
	for _, doc := range docs {
		fmt.Fprintf(&b, "---\napiVersion: %s\n%s\n", pipelines.APIVersion, strings.TrimPrefix(doc, "\n"))
	}
	return pipelines.Source{Name: "test.yaml", Data: []byte(b.String())}
}

func messages(err error) []string {
	var found pipelines.Diagnostics
	if !errors.As(err, &found) {
		return nil
	}
	var all []string
	for _, d := range found {
		all = append(all, d.Message)
	}
	return all
}

func TestAHundredErrorsOverTenFilesAreAllShownSorted(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for i := range 10 {
		var b strings.Builder
		name := fmt.Sprintf("%02d.yaml", i)
		for j := range 10 {
			fmt.Fprintf(&b, "---\napiVersion: sluice.dev/v1alpha1\nkind: Cluster\nmetadata: {name: c-%d-%d}\nspec:\n  group: none\n", i, j)
			want = append(want, fmt.Sprintf("%s:%d:10: there is no ClusterGroup none", name, 6*j+6))
		}
		writeFile(t, filepath.Join(dir, name), []byte(b.String()))
	}
	t.Chdir(dir)
	paths := []string{"09.yaml", "03.yaml", "00.yaml", "05.yaml", "01.yaml", "02.yaml", "08.yaml", "04.yaml", "06.yaml", "07.yaml"}
	_, err := pipelines.Load(paths...)
	if err == nil {
		t.Fatal("Load(...): want an error")
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Errorf("Load(...): diagnostics (-want +got):\n%s", diff)
	}
}

func TestLoadPaths(t *testing.T) {
	group := "apiVersion: sluice.dev/v1alpha1\nkind: ClusterGroup\nmetadata: {name: %s}\nspec: {environment: e2e}\n"
	dir := t.TempDir()
	for path, name := range map[string]string{
		"a/one.yaml": "one", "a/deep/er/two.yml": "two", "a/.hidden/three.yaml": "three", "b.yaml": "four",
		"chart/templates/five.yaml": "five", "c.yaml.txt": "six",
	} {
		writeFile(t, filepath.Join(dir, path), fmt.Appendf(nil, group, name))
	}
	writeFile(t, filepath.Join(dir, "chart/Chart.yaml"), nil)
	writeFile(t, filepath.Join(dir, "none/readme.md"), nil)
	if err := os.Symlink("../b.yaml", filepath.Join(dir, "a/linked.yaml")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)

	cases := map[string]struct {
		reason string
		paths  []string
		files  []string
		groups []string
		errors string
	}{
		"A folder is read to its depth": {
			reason: "fleets are kept in trees",
			paths:  []string{"a/deep"},
			files:  []string{"a/deep/er/two.yml"},
			groups: []string{"two"},
		},
		"Paths are printed as they were given": {
			reason: "an editor has to find them again",
			paths:  []string{"./a/deep/"},
			files:  []string{"./a/deep/er/two.yml"},
			groups: []string{"two"},
		},
		"A file that is given twice is read once": {
			reason: "a shell's globs overlap",
			paths:  []string{"a/deep", "a/deep/er/two.yml", "./a"},
			files:  []string{"./a/linked.yaml", "./a/one.yaml", "a/deep/er/two.yml"},
			groups: []string{"four", "one", "two"},
		},
		"A hidden folder that is asked for is read": {
			reason: "only what is come upon is skipped",
			paths:  []string{"a/.hidden"},
			files:  []string{"a/.hidden/three.yaml"},
			groups: []string{"three"},
		},
		"A file inside a chart that is asked for is read": {
			reason: "only what is come upon is skipped",
			paths:  []string{"chart/templates/five.yaml"},
			files:  []string{"chart/templates/five.yaml"},
			groups: []string{"five"},
		},
		"A path that is not there is an error": {
			reason: "a misspelt path must not pass as an empty fleet",
			paths:  []string{"b.yaml", "nowhere"},
			errors: "nowhere: cannot read file: no such file or directory",
		},
		"A folder without YAML is an error": {
			reason: "a wrong folder must not pass as an empty fleet",
			paths:  []string{"none", "chart"},
			errors: "chart: cannot load folder: there is no *.yaml or *.yml file in it\n" +
				"none: cannot load folder: there is no *.yaml or *.yml file in it",
		},
		"No path is an error": {
			reason: "nothing was checked",
			errors: ".: there is nothing to load: no file or folder was given",
		},
		"A link and its target declare the same thing twice": {
			reason: "they are two files",
			paths:  []string{"a/linked.yaml", "b.yaml"},
			errors: "b.yaml:3:18: ClusterGroup four is declared twice: first at a/linked.yaml:3:18",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			docs, err := pipelines.Load(tc.paths...)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tc.errors, got); diff != "" {
				t.Fatalf("\n%s\nLoad(%q): error (-want +got):\n%s", tc.reason, tc.paths, diff)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(tc.files, docs.Files); diff != "" {
				t.Errorf("\n%s\nLoad(%q): files (-want +got):\n%s", tc.reason, tc.paths, diff)
			}
			var groups []string
			for name := range docs.ClusterGroups {
				groups = append(groups, name)
			}
			slices.Sort(groups)
			if diff := cmp.Diff(tc.groups, groups); diff != "" {
				t.Errorf("\n%s\nLoad(%q): groups (-want +got):\n%s", tc.reason, tc.paths, diff)
			}
		})
	}
}
