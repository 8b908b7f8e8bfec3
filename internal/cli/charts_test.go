package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestTheChartsSayFlagsThatThereAre goes by what charts are known to render: internal/charts holds them to it.
func TestTheChartsSayFlagsThatThereAre(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "charts", "testdata", "*.golden.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("nothing is rendered: %v", err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split(string(text), "\n---") {
			var o struct {
				Spec struct {
					Template struct {
						Spec struct{ Containers []struct{ Args []string } }
					}
				}
			}
			if err := yaml.Unmarshal([]byte(part), &o); err != nil {
				t.Fatal(err)
			}
			for _, c := range o.Spec.Template.Spec.Containers {
				root := NewRoot(System())
				cmd, left, err := root.Find(c.Args)
				if err != nil {
					t.Errorf("%s: %q: %v", file, c.Args, err)
					continue
				}
				seen[cmd.CommandPath()] = true
				if err := cmd.ParseFlags(left); err != nil {
					t.Errorf("%s: %q: %v", file, c.Args, err)
				}
			}
		}
	}
	for _, path := range []string{"sluice server", "sluice worker", "sluice agent", "sluice get freezes"} {
		if !seen[path] {
			t.Errorf("no chart runs %s", path)
		}
	}
}
