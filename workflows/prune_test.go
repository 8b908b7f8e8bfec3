package workflows_test

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/mock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
)

func TestWhatEarlierVersionsLeftIsPrunedAtTheEnd(t *testing.T) {
	left := []string{"ConfigMap/infra/agent-0123456789"}
	for _, c := range []struct {
		reason string
		left   []string
		fails  error
		asked  []string
		not    []string
	}{
		{"before the Lease is free", left, nil, []string{"Finish a", "Prune a", "Release a Succeeded"}, nil},
		{"nothing was left, and nobody is asked", nil, nil, []string{"Release a Succeeded"}, []string{"Prune a"}},
		{"that it cannot be done keeps nobody from arriving", left, fault.New(fault.Unauthorized, "no"), []string{"Prune a", "Release a Succeeded"}, nil},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t, "a")
			w.env.OnActivity(step.Diff.Name(), mock.Anything, mock.Anything).Return(func(_ context.Context, r step.DiffRequest) (step.DiffResult, error) {
				return step.DiffResult{Cluster: plan.ClusterDiff{Cluster: r.Cluster, Workloads: []plan.Division{w.batches()}}, Before: true, Changes: "sha256:c", Left: c.left}, nil
			})
			w.fails = func(name, _ string) error {
				if name == step.Prune.Name() {
					return c.fails
				}
				return nil
			}
			end := w.run(t)
			if end.Phase != api.PhaseSucceeded {
				t.Errorf("the run ended %s", end.Phase)
			}
			w.expect(t, c.asked, c.not)
			if unit := end.Stages[0].Units[0]; c.fails == nil && !slices.Equal(unit.Pruned, c.left) {
				t.Errorf("the unit says that it pruned %q", unit.Pruned)
			}
		})
	}
}
