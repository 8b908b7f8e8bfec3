package drivers_test

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/drivers"
	"sluice.dev/sluice/pipelines"
)

// heldLoad is a workload of a version, for an API server in memory.
func heldLoad(t *testing.T, kind, version string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	text := `{"apiVersion": "apps/v1", "kind": "%s", "metadata": {"name": "agent", "namespace": "apps"}, "spec": {"replicas": 3,
		"selector": {"matchLabels": {"app": "agent"}}, "template": {"metadata": {"labels": {"app": "agent"}},
		"spec": {"containers": [{"name": "main", "image": "registry.example/agent:%s"}]}}}}`
	if err := o.UnmarshalJSON(fmt.Appendf(nil, text, kind, version)); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestAHoldIsTakenOverByAHigherFenceOnly(t *testing.T) {
	for _, kind := range []string{"DaemonSet", "Deployment"} {
		for _, c := range []struct {
			reason string
			run    string
			fence  int64
			may    bool
		}{
			{"the run that holds it", "run-2", 5, true},
			{"a later run", "run-3", 6, true},
			{"a later unit of the same run", "run-2", 6, true},
			{"an earlier run", "run-1", 4, false},
			{"an earlier unit of the same run", "run-2", 4, false},
			{"another run under the same fence", "run-3", 5, false},
		} {
			t.Run(kind+"/"+c.reason, func(t *testing.T) {
				server := kubetest.New(t)
				from, to := heldLoad(t, kind, "1"), heldLoad(t, kind, "2")
				namespace := &unstructured.Unstructured{}
				namespace.SetAPIVersion("v1")
				namespace.SetKind("Namespace")
				namespace.SetName("apps")
				server.Put(namespace, from)
				driver, err := drivers.For(to.GroupVersionKind().GroupKind())
				if err != nil {
					t.Fatal(err)
				}
				client := server.Cluster()
				spec := func(run string, fence int64) workload.Spec {
					return workload.Spec{Run: run, Fence: fence, Target: to, WayBack: from, Patch: []byte(`{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"registry.example/agent:2"}]}}}}`)}
				}
				if _, err := driver.Prepare(t.Context(), client, spec("run-2", 5)); err != nil {
					t.Fatal(err)
				}
				server.Writes()
				_, prepared := driver.Prepare(t.Context(), client, spec(c.run, c.fence))
				if !c.may {
					if fault.CodeOf(prepared) != fault.Conflict || !strings.Contains(prepared.Error(), "run run-2 holds it") {
						t.Errorf("to prepare it says %v", prepared)
					}
					_, reverted := driver.Revert(t.Context(), client, spec(c.run, c.fence), workload.State{}, pipelines.Count(1), nil)
					if fault.CodeOf(reverted) != fault.Conflict {
						t.Errorf("to revert it says %v", reverted)
					}
					if wrote := server.Writes(); len(wrote) > 0 {
						t.Errorf("it wrote %v", wrote)
					}
					return
				}
				hold, err := workload.HoldOf(server.Object(to))
				if prepared != nil || err != nil || hold.Run != c.run || hold.Fence != c.fence {
					t.Errorf("the hold is %+v: %v, %v", hold, prepared, err)
				}
			})
		}
	}
}
