package change

import (
	"fmt"
	"slices"
	"testing"

	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/pipelines"
)

// TestACreatedWorkloadIsOneBatch divides a workload of ten pods, four of which are in the first node set.
func TestACreatedWorkloadIsOneBatch(t *testing.T) {
	rules := plan.StageRules{
		NodeSets: []pipelines.NodeSet{
			{Name: "canary", Selector: pipelines.Selector{MatchLabels: map[string]string{"pool": "canary"}}},
			{Name: "all", Selector: pipelines.Selector{All: true}},
		},
		Batches: []pipelines.Amount{pipelines.Count(1), pipelines.Percent(100)},
	}
	sizes := func(sets []pipelines.NodeSet) ([]workload.Size, error) {
		if len(sets) == 1 {
			return []workload.Size{{Pods: 10}}, nil
		}
		return []workload.Size{{Pods: 4}, {Pods: 6}}, nil
	}
	for whole, want := range map[string][]string{
		"":                {"canary 1 of 4", "canary 4 of 4", "all 1 of 6", "all 6 of 6"},
		plan.CreatedWhole: {"all 10 of 10"},
	} {
		w, err := inBatches(plan.Division{Object: "DaemonSet/infra/agent", Whole: whole}, rules, sizes)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i, set := range w.NodeSets {
			if in := rules.SetsOf(w)[i]; in.Name != set.Name {
				t.Errorf("batches of node set %s are moved in node set %s", set.Name, in.Name)
			}
			for _, b := range set.Batches {
				got = append(got, fmt.Sprintf("%s %d of %d", set.Name, b.Target, set.Pods))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: the batches are %q, want %q", whole, got, want)
		}
	}
}
