package server_test

import (
	"net/http"
	"strings"
	"testing"

	"sluice.dev/sluice/pipelines"
)

// TestATaskThatLooksElsewhere: a plan touches the clusters that its tasks name, too. Whoever has a right in staging alone has none over it.
func TestATaskThatLooksElsewhere(t *testing.T) {
	b := newBench(t)
	const staging = `
---
apiVersion: sluice.dev/v1alpha1
kind: ClusterGroup
metadata: {name: staging}
spec: {environment: staging}
---
apiVersion: sluice.dev/v1alpha1
kind: Cluster
metadata: {name: s1}
spec: {group: staging}
---
apiVersion: sluice.dev/v1alpha1
kind: Task
metadata: {name: count}
spec: {steps: [{name: count, gate: {cel: "true"}}]}
---
apiVersion: sluice.dev/v1alpha1
kind: Pipeline
metadata: {name: careful}
spec:
  tasks: [{name: first, taskRef: {name: count}WHERE}]
  stages: [{name: all, clusterGroups: {matchLabels: {environment: staging}}}]
`
	b.bind("stager", pipelines.BindingScope{Environments: []string{"staging"}}, pipelines.RolePlanner)
	h := b.handler()
	pipeline := documents[strings.Index(documents, "---\napiVersion: sluice.dev/v1alpha1\nkind: Pipeline"):strings.Index(documents, "---\napiVersion: sluice.dev/v1alpha1\nkind: Component")]
	for where, want := range map[string]int{", cluster: s1": http.StatusOK, ", cluster: c1": http.StatusForbidden} {
		b.write("all.yaml", strings.Replace(documents, pipeline, strings.TrimPrefix(strings.Replace(staging, "WHERE", where, 1), "\n"), 1))
		w := b.ask(h, "POST", "/plans", "{"+b.sent()+`,"component":"agent"}`, b.token("stager"))
		if w.Code != want && (want == http.StatusForbidden || w.Code == http.StatusForbidden || w.Code == http.StatusBadRequest) {
			t.Errorf("a task%s: %d %s", where, w.Code, w.Body)
		}
	}
}
