package cluster

import (
	"strings"
	"testing"

	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

// TestAStrategyThatCannotBeKeptNeedsAnException brings another version of workloads whose owners' strategies no driver keeps.
func TestAStrategyThatCannotBeKeptNeedsAnException(t *testing.T) {
	for rule, c := range map[string]struct {
		kind, strategy string
		whole          string
	}{
		"takes-all-down": {"Deployment", `"strategy":{"type":"Recreate"}`, plan.TakenDown},
		"surge-is-lost":  {"DaemonSet", `"updateStrategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":1,"maxUnavailable":0}}`, ""},
	} {
		t.Run(rule, func(t *testing.T) {
			w := newWorld(t)
			of := func(version string) []string {
				return []string{strings.Replace(load(c.kind, "agent", version), `"spec":{`, `"spec":{`+c.strategy+`,`, 1)}
			}
			w.planned("1.0.0", of("1.0.0"))
			if d := w.rollout(); len(d.Cluster.Refusals) > 0 || d.Cluster.Workloads[0].Whole != plan.CreatedWhole {
				t.Fatalf("a first installation is refused: %+v", d.Cluster)
			}
			w.planned("2.0.0", of("2.0.0"))
			w.lock()
			if d := w.diff(); len(d.Cluster.Refusals) != 1 || string(d.Cluster.Refusals[0].Rule) != rule {
				t.Errorf("the refusals are %+v, want %s", d.Cluster.Refusals, rule)
			}
			w.planned("2.0.0", of("2.0.0"), func(p *plan.Plan) {
				p.Exceptions = []pipelines.Exception{{Rule: rule, Object: c.kind + "/agent", Reason: "it bears that"}}
			})
			w.lock()
			d := w.diff()
			if len(d.Cluster.Refusals) > 0 || len(d.Cluster.Notes) == 0 || !strings.Contains(strings.Join(d.Cluster.Notes, "\n"), "it bears that") {
				t.Errorf("with an exception there are refusals %+v and notes %q", d.Cluster.Refusals, d.Cluster.Notes)
			}
			if got := d.Cluster.Workloads[0]; got.Whole != c.whole || (c.whole != "") != (len(got.NodeSets[0].Batches) == 1) {
				t.Errorf("its batches are %+v", got)
			}
		})
	}
}

// TestAWorkloadWhosePodsStayIsOneBatch changes what stands beside the pod template.
func TestAWorkloadWhosePodsStayIsOneBatch(t *testing.T) {
	for _, kind := range []string{"Deployment", "DaemonSet"} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t)
			w.planned("1.0.0", []string{load(kind, "agent", "1.0.0")})
			w.rollout()
			w.planned("1.0.1", []string{strings.Replace(load(kind, "agent", "1.0.0"), `"spec":{`, `"spec":{"revisionHistoryLimit":3,`, 1)})
			w.lock()
			if got := w.diff().Cluster.Workloads; len(got) != 1 || got[0].Whole != plan.PodsStay || len(got[0].NodeSets) != 1 || len(got[0].NodeSets[0].Batches) != 1 {
				t.Errorf("its batches are %+v", got)
			}
			w.planned("2.0.0", []string{load(kind, "agent", "2.0.0")})
			w.lock()
			if got := w.diff().Cluster.Workloads; len(got) != 1 || got[0].Whole != "" {
				t.Errorf("with another template its batches are %+v", got)
			}
		})
	}
}
