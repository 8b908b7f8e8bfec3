package cluster

import (
	"fmt"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/change"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines"
)

// dies makes nodes of a world unreachable, as the node controller says it.
func (w *world) dies(names ...string) {
	w.Helper()
	for _, name := range names {
		w.server.Put(parsed(w.T, fmt.Sprintf(`{"apiVersion": "v1", "kind": "Node", "metadata": {"name": %q},
			"status": {"conditions": [{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "lastTransitionTime": "2026-11-22T03:00:00Z"}]}}`, name)))
	}
}

func TestDeadNodesAreFixedWhenTheUnitBegins(t *testing.T) {
	w := newWorld(t)
	w.planned("1.0.0", []string{load("DaemonSet", "agent", "1.0.0")})
	w.rollout()
	w.planned("2.0.0", []string{load("DaemonSet", "agent", "2.0.0")})
	w.lock()
	w.dies("n0")
	d := w.diff()
	load := d.Cluster.Workloads[0]
	if set := load.NodeSets[0]; len(d.Cluster.Refusals) > 0 || set.Pods != 3 || len(load.Behind) != 1 || load.Behind[0].Count != 1 || load.Behind[0].Total != 4 || load.Behind[0].Nodes[0].Name != "n0" {
		t.Fatalf("the unit is refused by %+v, its sizes are %+v, behind is %+v", d.Cluster.Refusals, load.NodeSets, load.Behind)
	}
	state := must(w, w.acts.Prepare, w.about(d, load.Object, goal.State{}))
	seen := must(w, w.acts.Advance, w.batch(d, load.Object, state, 1, pipelines.Percent(100)))
	b := seen.Facts.Batch
	if b.Target != 3 || b.UpdatedReady != 3 || b.Lost != 0 || len(seen.Behind) != 1 || fmt.Sprint(seen.Facts.Workload.Behind) != "[n0]" {
		t.Errorf("facts are %+v, behind is %+v", b, seen.Behind)
	}
	kept, err := w.acts.Ledger.ListObservations(t.Context(), api.Component("agent"))
	if err != nil || len(kept) != 1 || kept[0].Behind != "n0" {
		t.Errorf("the ledger has %+v, %v", kept, err)
	}
	must(w, w.acts.Finish, w.about(d, load.Object, state))
}

func TestMoreDeadNodesThanMayStayBehindRefuseTheUnit(t *testing.T) {
	w := newWorld(t)
	w.planned("1.0.0", []string{load("DaemonSet", "agent", "1.0.0")})
	w.rollout()
	w.planned("2.0.0", []string{load("DaemonSet", "agent", "2.0.0")})
	w.lock()
	w.dies("n0", "n1")
	d := w.diff()
	if no := d.Cluster.Refusals; len(no) != 1 || no[0].Rule != api.RuleMaxBehind || !strings.Contains(no[0].Message, "2 nodes are dead of 4 in node set all: n0, n1") {
		t.Errorf("the unit is refused by %+v", no)
	}
	var shown plan.ClusterDiff
	if err := change.Load(t.Context(), w.acts.Ledger, must(w, w.acts.Preview, step.DiffRequest{Ref: w.ref}), &shown); err != nil {
		t.Fatal(err)
	}
	if len(shown.Refusals) > 0 || !strings.Contains(strings.Join(shown.Notes, "\n"), "2 nodes are dead under DaemonSet/apps/agent") {
		t.Errorf("the plan is refused by %+v and notes %q: nodes come back until its turn", shown.Refusals, shown.Notes)
	}
	let := pipelines.Percent(50)
	w.planned("2.0.0", []string{load("DaemonSet", "agent", "2.0.0")}, func(p *plan.Plan) { p.Stages[0].Rules.MaxBehind = &let })
	if no := w.diff().Cluster.Refusals; len(no) > 0 {
		t.Errorf("with maxBehind 50%% the unit is refused by %+v", no)
	}
}
