package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
)

// TestAFailureNamesWhatElseTouchedIt: the run's own change, what moved the same nodes and goes on, somebody else's change that a plan
// saw, and a run in a cluster of the same failure domain, in this order; and nothing that is farther, later, or long over.
func TestAFailureNamesWhatElseTouchedIt(t *testing.T) {
	b := newBench(t)
	b.write("fleet.yaml", strings.Replace(strings.ReplaceAll(fleet, "spec: {group: prod}", "spec: {group: prod, region: eu}"),
		"kind: Pipeline", "kind: Fleet\nmetadata: {name: fleet}\nspec: {failureDomains: [region, rack]}\n---\napiVersion: sluice.dev/v1alpha1\nkind: Pipeline", 1))
	b.clusters["c1"] = plan.ClusterDiff{Diff: "sha256:d", Objects: []plan.Object{{Object: "ConfigMap/x/a", Action: "patch", Drift: []string{"/data changed by kubectl"}}}}
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes-10) * time.Minute) }
	unit := func(cluster string, from, to int, nodes ...string) api.UnitStatus {
		u := api.UnitStatus{Path: "prod/" + cluster, Cluster: cluster, Phase: api.PhaseMoving, Moved: true, Started: at(from)}
		if to != 0 {
			u.Phase, u.Ended = api.PhaseSucceeded, at(to)
		}
		u.Batches = []api.BatchStatus{{Path: u.Path + "/all/1", NodeSet: "all", Number: 1, Nodes: nodes, Started: at(from), Ended: at(to)}}
		u.Detail = b.blob(u)
		return u
	}
	run := b.started()
	failed := unit("c1", 1, 0, "n1", "n2")
	failed.Phase, failed.Detail = api.PhaseHeld, ""
	failed.Failure = &api.Check{Name: "pods", At: "afterBatch", Verdict: api.Failed, Message: "they crash", Stopped: at(12)}
	failed.FailedAt = "prod/c1/all/1"
	failed.Nodes = b.blob(api.NodesSeen{More: 3, Changes: []api.NodeChange{
		{Node: "n9", Kind: api.NodeAdded, At: at(11)}, {Node: "n2", Kind: api.NodeCordoned, At: at(4), Why: "kubectl"},
	}})
	other := func(component string, open bool, units ...api.UnitStatus) string {
		r, err := b.ledger.NewRun(t.Context(), ledger.Run{
			Plan: run.Plan, Subject: api.Component(component), Version: "7", Phase: "Moving", Started: at(0), By: "bob",
		})
		if err != nil {
			t.Fatal(err)
		}
		if open {
			b.temporal.open[r.Name] = true
			b.temporal.answers[r.Name] = api.RunStatus{Name: r.Name, Subject: r.Subject, Plan: r.Plan, Phase: api.PhaseMoving, Stages: []api.StageStatus{{Name: "all", Units: units}}}
		} else {
			b.end(r, units...)
			b.temporal.open = map[string]bool{run.Name: true}
		}
		return r.Name
	}
	b.temporal.answers = map[string]any{}
	other("near", false, unit("c2", 2, 3))
	other("later", false, unit("c1", 13, 14))
	other("far", false, unit("c9", 2, 3))
	other("proxy", true, unit("c1", 5, 0, "n2", "n3"))
	b.temporal.answers[run.Name] = api.RunStatus{
		Name: run.Name, Subject: run.Subject, Version: run.Version, Plan: run.Plan, Phase: api.PhaseHeld,
		Stages: []api.StageStatus{{Name: "all", Units: []api.UnitStatus{failed}}},
	}
	why, err := b.Why(t.Context(), run.Name, "c1")
	if err != nil || len(why.Reasons) != 1 || why.Reasons[0].Blame == nil {
		t.Fatalf("it explains %+v, %v", why, err)
	}
	var got []string
	for _, s := range why.Reasons[0].Blame.Suspects {
		got = append(got, fmt.Sprintf("%s %s: %s", s.Kind, s.Run, s.Why))
	}
	want := []string{
		"run agent-1: it is the run's own change; under way since 11m0s before",
		"run proxy-1: another component, same nodes: n2; under way since 7m0s before",
		"node : no component, same nodes: n2; 8m0s before",
		"drift : same component and cluster; 2m0s before",
		"node : same cluster, no component; 1m0s before",
		"run near-1: same failure domain: region=eu; 9m0s before",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	names, err := b.Suspects(t.Context(), run.Name)
	if err != nil || len(names) != 5 || !strings.HasPrefix(names[0], "proxy-1 (proxy 7) in c1: ") || names[1] != "node in c1: n2 was cordoned by kubectl (as agent-1 saw); no component, same nodes: n2; 8m0s before" {
		t.Errorf("others are %q, %v", names, err)
	}
	facts, err := b.Report(t.Context(), run.Name)
	if err != nil || len(facts.Blames) != 1 || len(facts.Blames[0].Suspects) != 6 || facts.Blames[0].More != 3 {
		t.Errorf("the report blames %+v, %v", facts.Blames, err)
	}
}

// TestWhatIsNotKnownOfNodesIsSaid: whoever looks for what broke a unit is told that nobody could see its nodes.
func TestWhatIsNotKnownOfNodesIsSaid(t *testing.T) {
	b := newBench(t)
	run := b.started()
	u := api.UnitStatus{
		Path: "prod/c1", Cluster: "c1", Phase: api.PhaseFailed, Moved: true, Started: noon, Ended: noon,
		Failure: &api.Check{Name: "pods", At: "afterBatch", Verdict: api.Failed, Stopped: noon}, Nodes: b.blob(api.NodesSeen{Unseen: "nodes is forbidden"}),
	}
	b.end(run, u)
	view, err := b.Status(t.Context(), run.Name)
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.Blame(t.Context(), view)
	if err != nil || len(got) != 1 || got[0].Note != "what happened to the nodes of c1 is not known: nodes is forbidden" {
		t.Errorf("it blames %+v, %v", got, err)
	}
}
