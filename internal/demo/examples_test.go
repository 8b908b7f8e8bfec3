package demo

import (
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/catalog"
	"sluice.dev/sluice/templates"
)

const examples = "../../examples"

// TestExamples keeps the documents and what the demo says of them together.
func TestExamples(t *testing.T) {
	docs, err := pipelines.Loader{Library: catalog.Sources()}.Load(examples)
	if err != nil {
		t.Fatal(err)
	}
	whole, short := shapeOf(false), shapeOf(true)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(docs.Clusters)), slices.Sorted(slices.Values(whole.clusters))); diff != "" {
		t.Errorf("the demo starts other clusters than the fleet has: -fleet +demo:\n%s", diff)
	}
	for _, name := range short.clusters {
		if docs.Clusters[name] == nil {
			t.Errorf("the short demo starts %s, which the fleet does not have", name)
		}
	}
	for _, name := range []string{installPipeline, rollPipeline, approvedPipeline, askedPipeline, probesPipeline} {
		if docs.Pipelines[name] == nil {
			t.Errorf("there is no pipeline %s", name)
		}
	}
	if u := docs.Pipelines[rollPipeline].Spec.Defaults.MaxUnavailable; *u != pipelines.Percent(mostUnavailable) {
		t.Errorf("the pipeline allows %s unavailable, the demo proves %d%%", u, mostUnavailable)
	}
	tags := map[string]string{}
	for _, component := range []string{nodeAgent, controller, web, blackBox} {
		for _, c := range docs.Components[component] {
			for _, image := range c.Spec.Images {
				tags[component+" "+c.Spec.Version] = image.Default
			}
		}
	}
	want := map[string]string{
		"node-agent 1.0.0": "registry.example/node-agent:" + version1,
		"node-agent 2.0.0": "registry.example/node-agent:" + version2,
		"node-agent 3.0.0": "registry.example/node-agent:" + crashingTag,
		"node-agent 3.1.0": "registry.example/node-agent:" + panickingTag,
		"node-agent 3.2.0": "registry.example/node-agent:" + mended,
		"controller 1.0.0": "registry.example/controller:" + version1,
		"controller 2.0.0": "registry.example/controller:" + version2,
		"web 1.0.0":        "sluice.local/fixture:" + version1,
		"web 1.1.0":        "sluice.local/fixture:" + failing,
		"black-box 1.0.0":  "sluice.local/probes:" + version1,
	}
	if diff := cmp.Diff(want, tags); diff != "" {
		t.Errorf("images: -want +got:\n%s", diff)
	}
}

// TestExamplesRender renders every version for every cluster.
func TestExamplesRender(t *testing.T) {
	docs, err := pipelines.Loader{Library: catalog.Sources()}.Load(examples)
	if err != nil {
		t.Fatal(err)
	}
	for name, versions := range docs.Components {
		for _, c := range versions {
			dir, kind := c.Spec.Template.Chart, templates.Chart
			if dir == "" {
				dir, kind = c.Spec.Template.Manifests, templates.Manifests
			}
			source, err := templates.Pack(filepath.Join(c.Dir, dir))
			if err != nil {
				t.Fatal(err)
			}
			for _, cluster := range docs.Clusters {
				place := cluster.Place(docs.ClusterGroups[cluster.Spec.Group])
				values, err := templates.Values(c, place)
				if err != nil {
					t.Fatal(err)
				}
				out, err := templates.Render(templates.Input{
					Source: source, Kind: kind, Component: name, Version: c.Spec.Version, Namespace: name, Values: values,
					Place: place, KubeVersion: "v1.36.3", APIVersions: []string{"v1", "apps/v1", "rbac.authorization.k8s.io/v1"},
				})
				if err != nil {
					t.Errorf("%s %s in %s: %v", name, c.Spec.Version, cluster.Metadata.Name, err)
					continue
				}
				if len(out.ReachesAtOnce) > 0 {
					t.Errorf("%s %s in %s: configuration reaches the whole cluster at once: %v", name, c.Spec.Version, cluster.Metadata.Name, out.ReachesAtOnce)
				}
			}
		}
	}
}
