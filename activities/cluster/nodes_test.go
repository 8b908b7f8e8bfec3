package cluster

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/blame"
	"sluice.dev/sluice/internal/change"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload/kit"
)

func TestWhatHappenedToNodesBeforeAFailure(t *testing.T) {
	failed := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	ago := func(minutes int) time.Time { return failed.Add(-time.Duration(minutes) * time.Minute) }
	long := failed.Add(-blame.LookBack - time.Second)
	for reason, c := range map[string]struct {
		node kit.Node
		by   cordon
		had  time.Time
		want []string
	}{
		"nothing happened to it":                {node: kit.Node{Created: long, Ready: long}},
		"it is new":                             {node: kit.Node{Created: ago(9), Ready: ago(8)}, want: []string{"node n was added 9m0s"}},
		"it is new and was never ready":         {node: kit.Node{Created: ago(9), Dead: "no CNI", Since: ago(9)}, want: []string{"node n was added 9m0s", "node n died: no CNI 9m0s"}},
		"it came after the failure":             {node: kit.Node{Created: failed.Add(time.Second)}},
		"it was added in the same second":       {node: kit.Node{Created: failed}, want: []string{"node n was added 0s"}},
		"it is back":                            {node: kit.Node{Created: long, Ready: ago(3)}, want: []string{"node n was Ready again 3m0s"}},
		"it died":                               {node: kit.Node{Created: long, Dead: "Ready is Unknown", Since: ago(3)}, want: []string{"node n died: Ready is Unknown 3m0s"}},
		"it died, and nobody knows since when":  {node: kit.Node{Created: long, Dead: "tainted"}},
		"it is cordoned":                        {node: kit.Node{Created: long, Unschedulable: true}, by: cordon{"kubectl", ago(4)}, want: []string{"node n was cordoned by kubectl 4m0s"}},
		"it is cordoned, nobody knows by whom":  {node: kit.Node{Created: long, Unschedulable: true}, by: cordon{"", ago(4)}, want: []string{"node n was cordoned 4m0s"}},
		"it has been cordoned for long":         {node: kit.Node{Created: long, Unschedulable: true}, by: cordon{"kubectl", long}},
		"it is no longer cordoned":              {node: kit.Node{Created: long}, by: cordon{"kubectl", ago(4)}},
		"pods were moved there, and it is gone": {had: ago(5), want: []string{"node gone was there for the last time that is known 5m0s"}},
	} {
		nodes, had := []kit.Node{}, map[string]time.Time{}
		if c.node.Name = "n"; !c.node.Created.IsZero() {
			nodes = append(nodes, c.node)
			had["n"] = ago(1)
		}
		if !c.had.IsZero() {
			had["gone"] = c.had
		}
		changes, more := nodeChanges(nodes, map[string]cordon{"n": c.by}, had, failed)
		var got []string
		for _, one := range changes {
			got = append(got, fmt.Sprintf("%s %s", one, failed.Sub(one.At)))
		}
		if diff := cmp.Diff(c.want, got); diff != "" || more != 0 {
			t.Errorf("%s: %d more (-want +got):\n%s", reason, more, diff)
		}
	}
}

func TestNodeChangesAreBounded(t *testing.T) {
	failed := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	var nodes []kit.Node
	for i := range mostNodes + 3 {
		nodes = append(nodes, kit.Node{
			Name: fmt.Sprint("n", i), Created: failed.Add(-blame.LookBack - time.Hour),
			Dead: strings.Repeat("x", 2*mostWhy), Since: failed.Add(-time.Duration(i) * time.Second),
		})
	}
	got, more := nodeChanges(nodes, nil, nil, failed)
	if len(got) != mostNodes || more != 3 || got[0].Node != "n0" || len(got[0].Why) > mostWhy {
		t.Errorf("it keeps %d and counts %d more, first %.50s", len(got), more, got[0])
	}
}

// TestNodesAreLookedAtWhereAUnitFailed: what a cluster says of its nodes is kept, with who cordoned one; and nothing is kept of nothing.
func TestNodesAreLookedAtWhereAUnitFailed(t *testing.T) {
	w := newWorld(t)
	w.planned("1.0.0", []string{load("DaemonSet", "agent", "1.0.0")})
	now := time.Now()
	before := now.Add(-blame.LookBack / 2).UTC().Truncate(time.Second)
	failed := now.Add(time.Minute)
	record := step.UnitRecord{UnitStatus: api.UnitStatus{Batches: []api.BatchStatus{{Nodes: []string{"n3", "n2"}, Ended: before}}}}
	digest, err := change.Store(t.Context(), w.acts.Ledger, record)
	if err != nil {
		t.Fatal(err)
	}
	if kept := must(w, w.acts.SeeNodes, step.NodesRequest{Ref: w.ref, Failed: now.Add(-time.Hour)}); kept != "" {
		t.Errorf("before the nodes were there, %s was kept", kept)
	}
	w.server.Put(parsed(t, `{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "creationTimestamp": "`+now.UTC().Format(time.RFC3339)+`", "managedFields": [
		{"manager": "kubelet", "fieldsV1": {"f:status": {}}, "time": "`+now.UTC().Format(time.RFC3339)+`"},
		{"manager": "kubectl-cordon", "fieldsV1": {"f:spec": {"f:unschedulable": {}}}, "time": "`+before.Format(time.RFC3339)+`"}]},
		"spec": {"unschedulable": true}}`))
	w.server.Delete(&unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Node", "metadata": map[string]any{"name": "n3"}}})
	for reason, req := range map[string]step.NodesRequest{
		"the nodes are given": {Ref: w.ref, Failed: failed, Had: record.LastOn()},
		"the unit had ended":  {Ref: w.ref, Failed: failed, Record: digest},
	} {
		var seen api.NodesSeen
		for range 1500 { // the watch hears of it in a moment
			if err := change.Load(t.Context(), w.acts.Ledger, must(w, w.acts.SeeNodes, req), &seen); err != nil {
				t.Fatal(err)
			}
			if len(seen.Changes) == 5 {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		var got []string
		for _, one := range seen.Changes {
			got = append(got, one.String())
		}
		slices.Sort(got[:min(3, len(got))]) // a second may have gone by between them
		want := []string{"node n0 was added", "node n1 was added", "node n2 was added", "node n1 was cordoned by kubectl-cordon", "node n3 was there for the last time that is known"}
		if diff := cmp.Diff(want, got); diff != "" || len(seen.Changes) < 5 || !seen.Changes[4].At.Equal(before) {
			t.Errorf("%s (-want +got):\n%s", reason, diff)
		}
	}
}

// TestWhoMayNotSeeNodesSaysSo: it is told with what may have broken a unit.
func TestWhoMayNotSeeNodesSaysSo(t *testing.T) {
	w := newWorld(t)
	w.planned("1.0.0", []string{load("DaemonSet", "agent", "1.0.0")})
	w.server.Forbid("nodes")
	var seen api.NodesSeen
	err := change.Load(t.Context(), w.acts.Ledger, must(w, w.acts.SeeNodes, step.NodesRequest{Ref: w.ref, Failed: time.Now()}), &seen)
	if err != nil || !strings.Contains(seen.Unseen, "nodes") || len(seen.Changes) > 0 {
		t.Errorf("it kept %+v, %v", seen, err)
	}
}
