package pipelines_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sluice.dev/sluice/pipelines"
)

// TestChecksRunAfterWhatTheyName draws lists of checks that name each other at will. Either they are put into an order
// that keeps every runAfter, or the loader prints a cycle that is one.
func TestChecksRunAfterWhatTheyName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 7).Draw(t, "checks")
		after := map[string][]string{}
		var names, list []string
		for i := range n {
			name := fmt.Sprintf("c%d", i)
			names = append(names, name)
			for j := range n {
				if rapid.IntRange(0, 5).Draw(t, "edge") == 0 {
					after[name] = append(after[name], fmt.Sprintf("c%d", j))
				}
			}
			runAfter := ""
			if len(after[name]) > 0 {
				runAfter = ", runAfter: [" + strings.Join(after[name], ", ") + "]"
			}
			list = append(list, fmt.Sprintf("{name: %s, gate: {cel: 'true'}%s}", name, runAfter))
		}
		doc := "kind: Pipeline\nmetadata: {name: p}\nspec: {stages: [{name: s, clusterGroups: {all: true}, checks: [" + strings.Join(list, ", ") + "]}]}"
		docs, err := pipelines.Parse(source(doc))
		if err != nil {
			for _, message := range messages(err) {
				printed, ok := strings.CutPrefix(message, "task cycle: ")
				if !ok {
					t.Fatalf("got %q, want cycles only", message)
				}
				cycle := strings.Split(printed, " -> ")
				if len(cycle) < 2 || cycle[0] != cycle[len(cycle)-1] {
					t.Fatalf("%q does not come back to its start", printed)
				}
				for i, name := range cycle[:len(cycle)-1] {
					if !slices.Contains(after[name], cycle[i+1]) {
						t.Fatalf("%q: %s does not run after %s", printed, name, cycle[i+1])
					}
				}
			}
			return
		}
		p := docs.Pipelines["p"]
		checks, err := docs.ResolveChecks(p, &p.Spec.Stages[0], nil)
		if err != nil {
			t.Fatal(err)
		}
		var done []string
		for _, c := range checks {
			for _, a := range after[c.Name] {
				if !slices.Contains(done, a) {
					t.Fatalf("%s comes before %s in %v", c.Name, a, checks)
				}
			}
			done = append(done, c.Name)
		}
		if len(done) != n {
			t.Fatalf("got %v, want all of %v", done, names)
		}
	})
}

func TestLibrary(t *testing.T) {
	library := source("kind: Task\nmetadata: {name: ready}\nspec: {steps: [{name: library, gate: {cel: 'true'}}]}",
		"kind: Task\nmetadata: {name: other}\nspec: {steps: [{name: library, gate: {cel: 'true'}}]}")
	library.Name = "library.yaml"
	loader := pipelines.Loader{Library: []pipelines.Source{library}}
	docs, err := loader.Parse(source(`
kind: Task
metadata: {name: ready}
spec: {steps: [{name: ours, gate: {cel: 'true'}}]}`, `
kind: Pipeline
metadata: {name: p}
spec: {stages: [{name: s, clusterGroups: {all: true}, checks: [{taskRef: {name: ready}}, {taskRef: {name: other}}]}]}`))
	if err != nil {
		t.Fatalf("Parse(...): %v", err)
	}
	if got := docs.Tasks["ready"].Spec.Steps[0].Name; got != "ours" {
		t.Errorf("a task of the files gives way to the library's: %s", got)
	}
	if got := docs.Tasks["other"].Spec.Steps[0].Name; got != "library" {
		t.Errorf("a task of the library is not there: %s", got)
	}
	if !slices.Equal(docs.Files, []string{"test.yaml"}) {
		t.Errorf("Files: got %v, want those of the caller only", docs.Files)
	}
	loader.Library = append(loader.Library, library)
	if _, err := loader.Parse(); err == nil || !strings.Contains(err.Error(), "library.yaml:4:18: Task ready is declared twice") {
		t.Errorf("a library that contradicts itself: got %v", err)
	}
}
