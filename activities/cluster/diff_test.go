package cluster

import (
	"testing"

	"sluice.dev/sluice/internal/gate"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

func TestAPlanSaysWhichChecksHaveNothingToJudge(t *testing.T) {
	check := func(name, cel string, at pipelines.Point, enforcement pipelines.Enforcement) pipelines.ResolvedCheck {
		return pipelines.ResolvedCheck{
			Name: name, At: []pipelines.Point{at}, Enforcement: enforcement, Gates: []pipelines.ResolvedGate{{Name: name, CEL: cel}},
		}
	}
	ready := check("ready", "workload.ready == workload.desired", pipelines.AfterCluster, pipelines.Enforcing)
	for _, c := range []struct {
		reason    string
		check     pipelines.ResolvedCheck
		workloads []plan.Workload
		digests   []string
		notes     int
	}{
		{"it speaks of the workload, and only something else changes", ready, nil, []string{"x"}, 1},
		{"a workload is moved", ready, []plan.Workload{{Object: "DaemonSet/infra/agent"}}, []string{"x"}, 0},
		{"nothing changes, so nothing is judged", ready, nil, nil, 0},
		{"it speaks of the unit", check("unit", "unit.cluster != ''", pipelines.AfterCluster, pipelines.Enforcing), nil, []string{"x"}, 0},
		{"it only advises", check("ready", "workload.ready == 1", pipelines.AfterCluster, pipelines.Advisory), nil, []string{"x"}, 0},
		{"it is about batches, of which there are none", check("ready", "workload.ready == 1", pipelines.AfterBatch, pipelines.Enforcing), nil, []string{"x"}, 0},
	} {
		t.Run(c.reason, func(t *testing.T) {
			d := differ{
				a: &Activities{Gates: gate.NewEvaluator()}, out: &plan.Cluster{Workloads: c.workloads}, digests: c.digests,
				rules: plan.Rules{Checks: []pipelines.ResolvedCheck{c.check}},
			}
			d.blindChecks()
			if len(d.out.Notes) != c.notes {
				t.Errorf("the notes are %q", d.out.Notes)
			}
		})
	}
}
