package change

import (
	"testing"

	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

func TestAPlanSaysWhichChecksHaveNothingToJudge(t *testing.T) {
	named := func(name, cel string, at pipelines.Point, enforcement pipelines.Enforcement) pipelines.ResolvedCheck {
		return pipelines.ResolvedCheck{
			Name: name, At: []pipelines.Point{at}, Enforcement: enforcement, Gates: []pipelines.ResolvedGate{{Name: name, CEL: cel}},
		}
	}
	ready := named("ready", "workload.ready == workload.desired", pipelines.AfterCluster, pipelines.Enforcing)
	for _, c := range []struct {
		reason    string
		check     pipelines.ResolvedCheck
		workloads []plan.Division
		digests   []string
		notes     int
	}{
		{"it speaks of the workload, and only something else changes", ready, nil, []string{"x"}, 1},
		{"a workload is moved", ready, []plan.Division{{Object: "DaemonSet/infra/agent"}}, []string{"x"}, 0},
		{"nothing changes, so nothing is judged", ready, nil, nil, 0},
		{"it speaks of the unit", named("unit", "unit.cluster != ''", pipelines.AfterCluster, pipelines.Enforcing), nil, []string{"x"}, 0},
		{"it only advises", named("ready", "workload.ready == 1", pipelines.AfterCluster, pipelines.Advisory), nil, []string{"x"}, 0},
		{
			"it is about batches, of which there are none",
			named("ready", "workload.ready == 1", pipelines.AfterBatch, pipelines.Enforcing), nil, []string{"x"}, 0,
		},
	} {
		t.Run(c.reason, func(t *testing.T) {
			d := comparison{out: &plan.ClusterDiff{Workloads: c.workloads}, digests: c.digests, Comparer: Comparer{
				BlindTo: check.New().Rules.ReadsWorkload, Rules: plan.StageRules{Checks: []pipelines.ResolvedCheck{c.check}},
			}}
			d.blindChecks()
			if len(d.out.Notes) != c.notes {
				t.Errorf("the notes are %q", d.out.Notes)
			}
		})
	}
}
