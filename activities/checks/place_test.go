package checks

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/change"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/ledger/sqlite/sqlitetest"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
	"sluice.dev/sluice/templates"
)

func parsed(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return o
}

func daemonSet(tag string) string {
	return fmt.Sprintf(`{"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "agent", "namespace": "apps"}, "spec": {
		"selector": {"matchLabels": {"app": "agent"}}, "updateStrategy": {"type": "OnDelete"},
		"template": {"metadata": {"labels": {"app": "agent"}}, "spec": {"containers": [{"name": "agent", "image": "registry.example/agent:%s"}]}}}}`, tag)
}

// TestFailureMode_R18_LookingOnCostsNoRequests looks at the pods of a unit again and again: new ones and old ones are told apart, and a
// watch that stands answers every look.
func TestFailureMode_R18_LookingOnCostsNoRequests(t *testing.T) {
	server := kubetest.New(t)
	server.Put(parsed(t, `{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "apps"}}`))
	for i := range 4 {
		server.Put(parsed(t, fmt.Sprintf(`{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n%d"}}`, i)))
	}
	target := parsed(t, daemonSet("2"))
	server.Put(parsed(t, daemonSet("1")))
	server.Put(parsed(t, daemonSet("2"))) // no pod moves: OnDelete
	store := sqlitetest.New(t)
	changes, err := change.Store(t.Context(), store, change.Set{Objects: []change.Object{{
		Name: "DaemonSet/apps/agent", Phase: templates.Workloads, Rendered: target.Object,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	pool := server.Pool()
	a := &Activities{Clusters: pool, Ledger: store}
	ref := step.Ref{Run: "agent-1", Subject: api.Component("agent"), Cluster: "a", Context: "a"}
	place, leave, err := a.place(t.Context(), step.ChecksRequest{
		Ref: ref, Facts: rule.Facts{Unit: rule.Unit{Cluster: "a"}},
		Workloads: []step.AdvanceRequest{{
			WorkloadRequest: step.WorkloadRequest{Ref: ref, Changes: changes, Object: "DaemonSet/apps/agent"},
			Goal:            goal.Goal{Sets: []pipelines.NodeSet{{Name: "all", Selector: pipelines.Selector{All: true}}}, Amount: pipelines.Percent(100)},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	seen := look(t, place)
	if len(seen.New) != 0 || len(seen.Old) != 4 {
		t.Fatalf("%d pods are new and %d old", len(seen.New), len(seen.Old))
	}
	c, err := pool.Cluster(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	before := c.Requests()
	for range 200 {
		facts, err := place.Facts(t.Context())
		if err != nil || facts.Unit.Cluster != "a" || facts.Workload.Desired != 4 {
			t.Fatalf("it sees %+v, %v", facts.Workload, err)
		}
		look(t, place)
	}
	if n := c.Requests() - before; n > 10 {
		t.Errorf("200 looks took %d requests", n)
	}
}

func look(t *testing.T, place *check.Place) check.Pods {
	t.Helper()
	pods, err := place.Pods(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return pods
}
