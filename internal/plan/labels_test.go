package plan_test

import (
	"testing"

	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

// TestLabelsArePartOfWhatProbesAre has a label make another target where cases are chosen by labels, and nowhere else: of other
// components no cluster may seem to have changed.
func TestLabelsArePartOfWhatProbesAre(t *testing.T) {
	for name, c := range map[string]struct {
		template pipelines.Template
		kind     string
		differs  bool
	}{
		"probes":    {pipelines.Template{Probes: "probes"}, plan.KindProbes, true},
		"manifests": {pipelines.Template{Manifests: "manifests"}, "manifests", false},
		"a chart":   {pipelines.Template{Chart: "chart"}, "chart", false},
	} {
		t.Run(name, func(t *testing.T) {
			target := func(labels map[string]string) string {
				labelled := cluster("a", "e2e", 1)
				labelled.Metadata.Labels = labels
				in := input(documents([]*pipelines.ClusterGroup{group("e2e", "e2e")}, []*pipelines.Cluster{labelled}), stage("e2e", "e2e"))
				in.Component.Spec.Template = c.template
				p := build(t, in)
				if p.Source.Kind != c.kind {
					t.Errorf("the source is of kind %s", p.Source.Kind)
				}
				return p.Stages[0].Groups[0].Units[0].Target
			}
			if differs := target(nil) != target(map[string]string{"etcd": "outside"}); differs != c.differs {
				t.Errorf("a label makes another target: %v, want %v", differs, c.differs)
			}
		})
	}
}
