package catalog_test

import (
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/catalog"
)

func TestTheCatalogIsWhatItSays(t *testing.T) {
	sources := catalog.Sources()
	docs, err := pipelines.Loader{Library: sources}.Parse()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(docs.Tasks) + len(docs.Pipelines); n != len(sources) || n == 0 {
		t.Errorf("%d files declare %d tasks and pipelines", len(sources), n)
	}
	for _, s := range sources {
		name := strings.TrimSuffix(path.Base(s.Name), ".yaml")
		task, pipeline := docs.Tasks[name], docs.Pipelines[name]
		switch {
		case task != nil && task.Spec.Description != "" && described(task.Spec.Params):
		case pipeline != nil && pipeline.Spec.Description != "" && described(pipeline.Spec.Params):
		default:
			t.Errorf("%s declares nothing of its name, or does not say what it is for, or what its params are", s.Name)
		}
	}
}

func described(params []pipelines.Param) bool {
	for _, p := range params {
		if p.Description == "" {
			return false
		}
	}
	return true
}

// TestTheSameIsAskedFromInside: the two tasks differ in where they ask from, and not in what their params are.
func TestTheSameIsAskedFromInside(t *testing.T) {
	docs, err := pipelines.Loader{Library: catalog.Sources()}.Parse()
	if err != nil {
		t.Fatal(err)
	}
	outside, inside := docs.Tasks["http-healthy"], docs.Tasks["http-healthy-inside"]
	if outside == nil || inside == nil {
		t.Fatal("the catalog does not have both")
	}
	if diff := cmp.Diff(outside.Spec.Params, inside.Spec.Params, cmpopts.IgnoreTypes(pipelines.Position{})); diff != "" {
		t.Errorf("params (-outside +inside):\n%s", diff)
	}
	here, there := *outside.Spec.Steps[0].HTTP, *inside.Spec.Steps[0].HTTP
	if !inside.Spec.Steps[0].FromCluster() || outside.Spec.Steps[0].FromCluster() {
		t.Errorf("they ask from %q and %q", here.From, there.From)
	}
	there.From = here.From
	if diff := cmp.Diff(here, there); diff != "" {
		t.Errorf("steps (-outside +inside):\n%s", diff)
	}
}

// TestAFileGoesBeforeTheCatalog: whoever has a task of that name keeps it.
func TestAFileGoesBeforeTheCatalog(t *testing.T) {
	own := pipelines.Source{Name: "own.yaml", Data: []byte(`apiVersion: sluice.dev/v1alpha1
kind: Task
metadata: {name: batch-is-ready}
spec: {steps: [{name: mine, gate: {cel: "true"}}]}
`)}
	docs, err := pipelines.Loader{Library: catalog.Sources()}.Parse(own)
	if err != nil || docs.Tasks["batch-is-ready"].Spec.Steps[0].Name != "mine" {
		t.Errorf("the task is %+v, %v", docs, err)
	}
}
