package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/witness"
)

// moreClusters are three further clusters of the fleet, which are the two of the stack under other names.
const moreClusters = `
---
apiVersion: sluice.dev/v1alpha1
kind: Cluster
metadata: {name: c}
spec: {group: production, context: a}
---
apiVersion: sluice.dev/v1alpha1
kind: Cluster
metadata: {name: d}
spec: {group: production, context: b}
---
apiVersion: sluice.dev/v1alpha1
kind: Cluster
metadata: {name: e}
spec: {group: production, context: a}
`

func TestAChartThatDoesNotRenderForTwoOfFiveClustersChangesNothing(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "unrendered")
	s.work()
	s.install()
	fleet, err := os.ReadFile(filepath.Join(s.files, "fleet.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.files, "fleet.yaml"), append(fleet, moreClusters...), 0o600); err != nil {
		t.Fatal(err)
	}
	s.edit("components.yaml", "config: {", "config: {clusters: {c: {logLevel: null}, e: {logLevel: null}}, ")
	a, b := s.snapshot("a"), s.snapshot("b")
	p := s.plan("2.0.0", "install")
	refused := p.Refused()
	if fault.CodeOf(refused) != fault.Invalid {
		t.Fatalf("the plan says %v, code %q", refused, fault.CodeOf(refused))
	}
	lines := strings.Split(refused.Error(), "\n")[1:]
	if len(lines) != 2 {
		t.Errorf("the refusal has %d lines, want one for each cluster that fails: %v", len(lines), refused)
	}
	for i, name := range []string{"c", "e"} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], "  "+name+": render: ") || !strings.Contains(lines[i], "there is no logLevel") {
			t.Errorf("the refusal does not say why the chart does not render for %s: %v", name, refused)
		}
	}
	if err := s.try(p.Hash); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("a plan that is refused was started: %v", err)
	}
	runs, err := s.engine.Runs(t.Context(), engine.RunsQuery{Component: s.component, Limit: 10})
	if err != nil || len(runs) != 1 {
		t.Errorf("only the installation ran, and there are runs %+v, %v", runs, err)
	}
	if moved := append(witness.Moved(a, s.snapshot("a")), witness.Moved(b, s.snapshot("b"))...); len(moved) > 0 {
		t.Errorf("the plan was refused, and something moved: %v", moved)
	}
}
