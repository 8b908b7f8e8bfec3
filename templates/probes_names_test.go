package templates

import (
	"fmt"
	"strings"
	"testing"

	"sluice.dev/sluice/pipelines"
)

// What cases may do everywhere is each case's own, and the API server takes its name.
func TestNoTwoCasesShareARole(t *testing.T) {
	long := strings.Repeat("x", 63)
	of := map[string]string{}
	for _, c := range []struct{ namespace, name, reason string }{
		{"a", "b-probe-c", "a name that has in it what stands between the two"},
		{"a-probe-b", "c", "a namespace that has"},
		{"probe-a", "c", "a namespace that begins as the name does"},
		{"a", "c", "a case of the same name in another one"},
		{"a-c", "c", "parts that are parted by what may be in both"},
		{long, "c", "the longest namespace"},
		{long, long, "the longest of both"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			source, err := writeTar([]file{{name: "p.yaml", data: fmt.Appendf(nil, `
apiVersion: sluice.dev/v1alpha1
kind: Probe
metadata: {name: %[1]s}
spec: {image: "registry.example/p:1", touches: [{resources: [pods], verbs: [list], everywhere: true}]}
---
apiVersion: sluice.dev/v1alpha1
kind: ProbeBinding
metadata: {name: all}
spec: {clusters: {all: true}, cases: [{probe: %[1]s}], schedule: {every: 5m}}
`, c.name)}})
			if err != nil {
				t.Fatal(err)
			}
			out, err := Render(Input{
				Source: source, Kind: Probes, Component: "probes", Version: "1.0.0", Namespace: c.namespace, KubeVersion: "v1.37.0",
				Place: pipelines.Place{Cluster: "c1", Group: "g", Environment: "e2e"},
			})
			if err != nil {
				t.Fatal(err)
			}
			names := map[string]string{}
			for _, o := range out.Objects {
				names[o.GetKind()] = o.GetName()
			}
			role := names["ClusterRole"]
			if role == "" || role != names["ClusterRoleBinding"] {
				t.Errorf("the role is %q, and its binding %q", role, names["ClusterRoleBinding"])
			}
			if strings.ContainsAny(role, "/%") || len(role) > 253 {
				t.Errorf("an API server refuses %s", role)
			}
			if other, taken := of[role]; taken {
				t.Errorf("%s is the role of %s as well", role, other)
			}
			of[role] = c.namespace + "/" + c.name
		})
	}
}
