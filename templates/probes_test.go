package templates

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/pipelines"
)

var update = flag.Bool("update", false, "write what is rendered into testdata")

// TestProbesGolden renders the probes of each archive under testdata/probes for the places that its comment names, and compares the
// objects, or the error, with its last files.
func TestProbesGolden(t *testing.T) {
	archives, err := filepath.Glob("testdata/probes/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("cannot find archives: %v", err)
	}
	places := map[string]pipelines.Place{
		"prod": {Cluster: "cn-hz-1", Group: "vpc", Environment: "production", Labels: map[string]string{"environment": "production"}},
		"e2e":  {Cluster: "e2e-1", Group: "e2e", Environment: "e2e", Labels: map[string]string{"environment": "e2e"}},
	}
	for _, path := range archives {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var files []file
		for _, f := range archive.Files {
			if !strings.HasPrefix(f.Name, "want/") {
				files = append(files, file{name: f.Name, data: f.Data})
			}
		}
		for i, f := range archive.Files {
			name, wanted := strings.CutPrefix(f.Name, "want/")
			if !wanted {
				continue
			}
			t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar")+"/"+name, func(t *testing.T) {
				got := renderedProbes(t, files, places[name])
				if *update {
					archive.Files[i].Data = []byte(got)
				}
				if diff := cmp.Diff(string(archive.Files[i].Data), got); diff != "" {
					t.Errorf("%s(-want +got):\n%s", archive.Comment, diff)
				}
			})
		}
		if *update {
			if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func renderedProbes(t *testing.T, files []file, at pipelines.Place) string {
	t.Helper()
	source, err := writeTar(files)
	if err != nil {
		t.Fatal(err)
	}
	in := Input{
		Source: source, Kind: Probes, Component: "probes", Version: "1.0.0", Namespace: "sluice-probes", Place: at, KubeVersion: "v1.37.0",
		Values: map[string]any{
			"images": map[string]any{"probes": "registry.example/probes:1"}, "etcd": map[string]any{"endpoints": "https://127.0.0.1:2379"},
		},
	}
	out, err := Render(in)
	if err != nil {
		return err.Error() + "\n"
	}
	again, err := Render(in)
	if err != nil {
		t.Fatal(err)
	}
	first, err := Encode(out.Unstructured())
	if err != nil {
		t.Fatal(err)
	}
	if second, err := Encode(again.Unstructured()); err != nil || string(first) != string(second) {
		t.Errorf("a second render differs: %v", err)
	}
	var text strings.Builder
	for _, object := range out.Objects {
		body, err := yaml.Marshal(object.Object)
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString("--- # " + object.Source + "\n" + string(body))
	}
	return text.String()
}
