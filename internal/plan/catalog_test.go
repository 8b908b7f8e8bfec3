package plan_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/catalog"
)

// TestTheCatalogServesHundredsOfComponents: three hundred components of nine settings, each with no more of its own than its image and its
// limits, travel through eighty clusters by the catalog's Pipeline and Tasks as they are.
func TestTheCatalogServesHundredsOfComponents(t *testing.T) {
	const components, clusters = 300, 80
	var fleet, all strings.Builder
	for _, env := range []string{"e2e", "test", "canary", "production"} {
		fmt.Fprintf(&fleet, "---\napiVersion: sluice.dev/v1alpha1\nkind: ClusterGroup\nmetadata: {name: %[1]s}\nspec: {environment: %[1]s}\n", env)
	}
	for i := range clusters {
		group := "production"
		if i < 4 {
			group = []string{"e2e", "test", "canary", "canary"}[i]
		}
		fmt.Fprintf(&fleet, "---\napiVersion: sluice.dev/v1alpha1\nkind: Cluster\nmetadata: {name: c-%02d}\nspec: {group: %s}\n", i, group)
	}
	for i := range components {
		fmt.Fprintf(&all, "---\napiVersion: sluice.dev/v1alpha1\nkind: Component\nmetadata: {name: part-%03d}\n"+
			"spec: {version: 1.0.%d, pipeline: gradual, template: {manifests: agent}, images: {agent: {default: \"registry.example/part-%03d:1\"}}}\n", i, i, i)
	}
	dir := t.TempDir()
	write := func(name, text string) {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("fleet.yaml", fleet.String())
	write("components.yaml", all.String())
	write("agent/agent.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: agent}\n")
	docs, err := pipelines.Loader{Library: catalog.Sources()}.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	pipeline := docs.Pipelines["gradual"]
	hashes := map[string]bool{}
	for i := range components {
		params, err := pipelines.BindParams(pipeline, map[string]string{
			"timeZone": []string{"Europe/Berlin", "Asia/Shanghai", "America/New_York"}[i%3], "maxRestarts": fmt.Sprint(i / 3 % 3),
		})
		if err != nil {
			t.Fatal(err)
		}
		p := build(t, plan.Input{
			Documents: docs, Pipeline: pipeline, Params: params, Component: docs.Components[fmt.Sprintf("part-%03d", i)][0], Template: "sha256:t",
			Values: func(pipelines.Place) (string, error) { return "sha256:v", nil },
		})
		if err := plan.CheckBounds(p); err != nil {
			t.Fatal(err)
		}
		if p.Units() != clusters {
			t.Fatalf("%s has %d of %d clusters", p.Subject, p.Units(), clusters)
		}
		for _, s := range p.Stages {
			if s.Skipped != "" {
				continue
			}
			for _, name := range []string{"no-release-on-weekends", "pods-stay-healthy", "panic-logs", "batch-is-ready"} {
				if !slices.ContainsFunc(s.Rules.Checks, func(c pipelines.ResolvedCheck) bool { return c.Name == name }) {
					t.Fatalf("stage %s of %s has no check %s", s.Name, p.Subject, name)
				}
			}
		}
		hashes[plan.Hash(p)] = true
	}
	if len(hashes) != components {
		t.Errorf("%d components have %d plans", components, len(hashes))
	}
}
