package pipelines_test

import (
	"fmt"
	"strings"
	"testing"

	"sluice.dev/sluice/pipelines"
)

// TestPlacesThatHaveTheSameCases renders once for places that cannot differ, and for each that can.
func TestPlacesThatHaveTheSameCases(t *testing.T) {
	place := func(cluster, environment string) pipelines.Place {
		return pipelines.Place{Cluster: cluster, Environment: environment, Labels: map[string]string{"environment": environment, "name": cluster}}
	}
	documents := func(args string) *pipelines.ProbeDocuments {
		found, err := pipelines.ParseProbes(pipelines.Source{Name: "probes.yaml", Data: []byte(`
apiVersion: sluice.dev/v1alpha1
kind: Probe
metadata: {name: a}
spec: {image: a, params: [{name: x, default: 1}], args: [` + args + `]}
---
apiVersion: sluice.dev/v1alpha1
kind: ProbeBinding
metadata: {name: production}
spec: {clusters: {matchLabels: {environment: production}}, cases: [{probe: a}], schedule: {every: 5m}}
`)})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	for name, c := range map[string]struct {
		reason string
		args   string
		a, b   pipelines.Place
		same   bool
	}{
		"two that one binding takes":       {"nothing differs", "$(params.x)", place("c1", "production"), place("c2", "production"), true},
		"two that no binding takes":        {"neither has a case", "b", place("c1", "e2e"), place("c2", "test"), true},
		"one that a binding takes":         {"one has a case", "b", place("c1", "production"), place("c1", "e2e"), false},
		"two whose names stand in a text":  {"the text differs", "--cluster=$(cluster.name)", place("c1", "production"), place("c2", "production"), false},
		"one, and itself with other words": {"labels that nobody asks for", "$(cluster.name)", place("c1", "production"), place("c1", "production"), true},
	} {
		t.Run(name, func(t *testing.T) {
			d := documents(c.args)
			if same := d.AsIn(c.a) == d.AsIn(c.b); same != c.same {
				t.Errorf("same: %v, want %v: %s", same, c.same, c.reason)
			}
		})
	}
}

// TestPairsAreBounded refuses a binding that makes more pairs of cases and clusters than anybody looks at, with the numbers.
func TestPairsAreBounded(t *testing.T) {
	fleet := func(clusters int) string {
		text := "apiVersion: sluice.dev/v1alpha1\nkind: ClusterGroup\nmetadata: {name: g}\nspec: {environment: e2e}\n"
		for i := range clusters {
			text += fmt.Sprintf("---\napiVersion: sluice.dev/v1alpha1\nkind: Cluster\nmetadata: {name: c%d}\nspec: {group: g}\n", i)
		}
		return text
	}
	var cases []string
	for i := range 100 {
		cases = append(cases, fmt.Sprintf("{name: n%d, probe: a}", i))
	}
	probes := "apiVersion: sluice.dev/v1alpha1\nkind: Probe\nmetadata: {name: a}\nspec: {image: a}\n---\n" +
		"apiVersion: sluice.dev/v1alpha1\nkind: ProbeBinding\nmetadata: {name: b}\n" +
		"spec: {clusters: {all: true}, schedule: {every: 5m}, cases: [" + strings.Join(cases, ", ") + "]}\n"
	for clusters, want := range map[int]string{
		100: "",
		101: "100 cases in 101 clusters are 10100 pairs, more than 10000",
	} {
		_, err := pipelines.Parse(pipelines.Source{Name: "fleet.yaml", Data: []byte(fleet(clusters))},
			pipelines.Source{Name: "probes.yaml", Data: []byte(probes)})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%d clusters: %v, want %q", clusters, err, want)
		}
	}
}
