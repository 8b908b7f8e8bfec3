package engine_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/workload/goal"
)

// TestChangesOfAClusterAreReadFromTheLedger: what was at work there, what moved, what stopped it, and what somebody else changed; of
// runs elsewhere, and of what was over before, nothing. It asks no Temporal.
func TestChangesOfAClusterAreReadFromTheLedger(t *testing.T) {
	b := newBench(t)
	b.clusters["c1"] = plan.ClusterDiff{Diff: "sha256:d", Objects: []plan.Object{{Object: "ConfigMap/x/a", Action: "patch", Drift: []string{"/data changed by kubectl"}}}}
	b.clusters["c2"] = plan.ClusterDiff{Diff: "sha256:d"}
	run := b.started()
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes-10) * time.Minute) }
	crash := &api.Check{Name: "pods", Verdict: api.Failed, Message: "they crash"}
	drift := &api.Check{Name: "drift", Verdict: api.Error, Message: "/spec was changed"}
	whole := api.UnitStatus{
		Path: "prod/c1", Cluster: "c1", Phase: api.PhaseRolledBack, Started: at(1), Ended: at(9), Failure: crash, FailedAt: "prod/c1/all/2",
		Batches: []api.BatchStatus{
			{Path: "prod/c1/all/1", NodeSet: "all", Number: 1, Updated: 1, Total: 4, Started: at(2), Ended: at(3)},
			{Path: "prod/c1/all/2", NodeSet: "all", Number: 2, Updated: 3, Total: 4, Started: at(4), Ended: at(6)},
			{Path: "prod/c1/all/3", NodeSet: "all", Number: 3, Skipped: "it moves nothing"},
		},
	}
	c1 := api.UnitStatus{
		Path: "prod/c1", Cluster: "c1", Phase: api.PhaseRolledBack, Moved: true, Started: at(1), Ended: at(9), Failure: crash,
		FailedAt: "prod/c1/all/2", Detail: b.blob(whole),
	}
	c2 := api.UnitStatus{Path: "prod/c2", Cluster: "c2", Phase: api.PhaseFailed, Started: at(1), Ended: at(2), Failure: drift}
	b.end(run, c1, c2)
	b.temporal = nil

	for cluster, want := range map[string][]engine.Change{
		"c1": {
			{At: at(1), Until: at(9), Kind: engine.ChangeUnit, Run: run.Name, What: "prod/c1: RolledBack"},
			{At: at(2), Until: at(3), Kind: engine.ChangeBatch, Run: run.Name, What: "batch 1 of all: 1 of 4 pods updated"},
			{At: at(4), Until: at(6), Kind: engine.ChangeBatch, Run: run.Name, What: "batch 2 of all: 3 of 4 pods updated"},
			{At: at(6), Until: at(6), Kind: engine.ChangeStop, Run: run.Name, What: "pods Failed: they crash"},
			{At: noon, Until: noon, Kind: engine.ChangeDrift, What: "a plan saw ConfigMap/x/a: /data changed by kubectl"},
		},
		"c2": {
			{At: at(1), Until: at(2), Kind: engine.ChangeUnit, Run: run.Name, What: "prod/c2: Failed"},
			{At: at(2), Until: at(2), Kind: engine.ChangeDrift, Run: run.Name, What: "drift Error: /spec was changed"},
		},
		"c9": {},
	} {
		got, err := b.Changes(t.Context(), cluster, noon.Add(-time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		others := cmpopts.IgnoreFields(engine.Change{}, "Component", "Version", "Cluster", "By")
		if diff := cmp.Diff(want, got.Changes, cmpopts.IgnoreUnexported(engine.Change{}), others); diff != "" {
			t.Errorf("of %s (-want +got):\n%s", cluster, diff)
		}
	}
	got, err := b.Changes(t.Context(), "c1", at(5))
	if err != nil || len(got.Changes) != 4 {
		t.Errorf("since a time it lists %+v, %v; want what was not over then", got.Changes, err)
	}
	if got, err = b.Changes(t.Context(), "c1", at(5+24*60)); err != nil || len(got.Changes) != 0 {
		t.Errorf("a day later it lists %+v, %v", got.Changes, err)
	}
}

// TestChangesOfANode: the batches that moved its pods in whatever cluster, the unit of these, and that it died.
func TestChangesOfANode(t *testing.T) {
	b := newBench(t)
	run := b.started()
	u := api.UnitStatus{
		Path: "prod/c1", Cluster: "c1", Phase: api.PhaseSucceeded, Started: noon, Ended: noon,
		Batches: []api.BatchStatus{
			{Path: "prod/c1/all/1", NodeSet: "all", Number: 1, Nodes: []string{"n1"}, Started: noon, Ended: noon},
			{Path: "prod/c1/all/2", NodeSet: "all", Number: 2, Nodes: []string{"n2"}, Started: noon, Ended: noon},
		},
		Behind: []goal.Behind{{Nodes: []goal.Node{{Name: "n2", Why: "Ready is Unknown", Since: noon}, {Name: "n1", Why: "nobody knows since when"}}}},
	}
	u.Detail = b.blob(u)
	b.end(run, u)
	for name, want := range map[string][]string{
		"n1": {"prod/c1: Succeeded", "batch 1 of all: 0 of 0 pods updated"},
		"n2": {"node n2 died: Ready is Unknown (as agent-1 saw)", "prod/c1: Succeeded", "batch 2 of all: 0 of 0 pods updated"},
		"n3": nil,
	} {
		found, err := b.Changes(t.Context(), name, noon.Add(-time.Hour))
		var got []string
		for _, c := range found.Changes {
			got = append(got, c.What)
		}
		if err != nil || !cmp.Equal(got, want) || (found.Node == name) != (len(want) > 0) {
			t.Errorf("of %s it lists %q as %q, %v; want %q", name, got, found.Node, err, want)
		}
	}
}

// TestChangesOfNodesThatSeveralUnitsSaw: what a run saw of the nodes when it failed is among the changes, each once; of a unit that was
// taken back, what it saw on its way forward.
func TestChangesOfNodesThatSeveralUnitsSaw(t *testing.T) {
	b := newBench(t)
	run := b.started()
	seen := b.blob(api.NodesSeen{Changes: []api.NodeChange{
		{Node: "n2", Kind: api.NodeDied, At: noon, Why: "Ready is Unknown"}, {Node: "n1", Kind: api.NodeCordoned, At: noon, Why: "kubectl"},
	}})
	forward := api.UnitStatus{Path: "prod/c1", Cluster: "c1", Phase: api.PhaseHeld, Started: noon, Ended: noon, Nodes: seen}
	forward.Behind = []goal.Behind{{Nodes: []goal.Node{{Name: "n2", Why: "Ready is Unknown", Since: noon}}}}
	u := api.UnitStatus{Path: "prod/c1", Cluster: "c1", Phase: api.PhaseRolledBack, Started: noon, Ended: noon, Before: b.blob(forward)}
	b.end(run, u)
	for name, want := range map[string][]string{
		"n1": {"node n1 was cordoned by kubectl (as agent-1 saw)"},
		"n2": {"node n2 died: Ready is Unknown (as agent-1 saw)"},
		"c1": {"prod/c1: Held", "node n2 died: Ready is Unknown (as agent-1 saw)", "node n1 was cordoned by kubectl (as agent-1 saw)", "prod/c1: RolledBack"},
	} {
		found, err := b.Changes(t.Context(), name, noon.Add(-time.Hour))
		var got []string
		for _, c := range found.Changes {
			got = append(got, c.What)
		}
		if slices.Sort(got); err != nil || !cmp.Equal(got, slices.Sorted(slices.Values(want))) {
			t.Errorf("of %s it lists %q, %v; want %q", name, got, err, want)
		}
	}
}

// TestAPlanThatCannotBeReadHidesNoChange: it is counted, and the rest is listed.
func TestAPlanThatCannotBeReadHidesNoChange(t *testing.T) {
	b := newBench(t)
	run := b.started()
	b.end(run, api.UnitStatus{Path: "prod/c1", Cluster: "c1", Phase: api.PhaseSucceeded, Started: noon, Ended: noon})
	err := b.ledger.SavePlan(t.Context(), ledger.Plan{
		Hash: "sha256:0123456789", Subject: run.Subject, Version: "0", Pipeline: "old", Body: b.blob("of another time"), Live: b.blob("too"), Created: noon, By: "ann",
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.Changes(t.Context(), "c1", noon.Add(-time.Hour))
	if err != nil || len(got.Changes) != 1 || got.Note != "what 1 plan saw cannot be read" {
		t.Errorf("it lists %+v, %v", got, err)
	}
}

func TestAnOpenRunIsAmongTheChanges(t *testing.T) {
	b := newBench(t)
	run := b.underWay()
	b.deploy("c1", run.Name, run.Version)
	got, err := b.Changes(t.Context(), "c1", noon.Add(time.Hour))
	if err != nil || len(got.Changes) != 0 {
		t.Errorf("what it has done there is over: %+v, %v", got.Changes, err)
	}
	seen := ledger.Observation{Cluster: "c2", Subject: run.Subject, Run: run.Name, Version: run.Version, Seen: noon}
	if err := b.ledger.SaveObservation(t.Context(), seen); err != nil {
		t.Fatal(err)
	}
	got, err = b.Changes(t.Context(), "c2", noon.Add(time.Hour))
	if err != nil || len(got.Changes) != 1 || !got.Changes[0].Until.IsZero() || got.Changes[0].Run != run.Name {
		t.Errorf("it is at work there: %+v, %v", got.Changes, err)
	}
}
