package plan_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

func TestLogPatternsOfTheComponentAreAdded(t *testing.T) {
	own := pipelines.LogPattern{Name: "lost", Regexp: "own", Max: 3}
	for _, c := range []struct {
		reason string
		step   pipelines.Logs
		has    *pipelines.Indicators
		want   []string
	}{
		{"those of the component, behind one's own", pipelines.Logs{Indicators: true, Patterns: []pipelines.LogPattern{{Name: "a", Regexp: "a"}}},
			&pipelines.Indicators{LogPatterns: []pipelines.LogPattern{{Name: "lost", Regexp: "lost"}}}, []string{"a: a", "lost: lost"}},
		{"one's own goes before", pipelines.Logs{Indicators: true, Patterns: []pipelines.LogPattern{own}},
			&pipelines.Indicators{LogPatterns: []pipelines.LogPattern{{Name: "lost", Regexp: "lost"}}}, []string{"lost: own"}},
		{"only where they are asked for", pipelines.Logs{Patterns: []pipelines.LogPattern{own}},
			&pipelines.Indicators{LogPatterns: []pipelines.LogPattern{{Name: "b", Regexp: "b"}}}, []string{"lost: own"}},
		{"a component without any", pipelines.Logs{Indicators: true}, nil, nil},
	} {
		t.Run(c.reason, func(t *testing.T) {
			d := documents([]*pipelines.ClusterGroup{group("eu", "production")}, []*pipelines.Cluster{cluster("a", "eu", 1)})
			in := input(d, stage("all", ""))
			in.Component.Spec.Indicators = c.has
			step := c.step
			in.Pipeline.Spec.Defaults.Checks = []pipelines.Check{{Name: "logs", At: []pipelines.Point{pipelines.During}, TaskSpec: &pipelines.TaskSpec{
				Steps: []pipelines.Step{{Name: "read", StepKinds: pipelines.StepKinds{Logs: &step}}},
			}}}
			p, err := plan.Build(in)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, l := range p.Stages[0].Rules.Checks[0].Steps[0].Logs.Patterns {
				got = append(got, l.Name+": "+l.Regexp)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("patterns (-want +got):\n%s", diff)
			}
			if len(step.Patterns) != len(c.step.Patterns) {
				t.Error("the document was changed")
			}
		})
	}
}
