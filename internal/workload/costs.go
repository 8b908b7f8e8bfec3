package workload

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/api"
)

// Cost is what moving a workload takes beyond what batches take, as the rule that it breaks.
type Cost struct {
	Rule api.Rule
	Why  string
}

// Costs tells of a Deployment that is recreated.
func (d deployment) Costs(spec Spec, live *unstructured.Unstructured) ([]Cost, error) {
	governs, err := ownerOf(spec, live, d)
	if strategy, _ := governs["strategy"].(map[string]any); err == nil && recreates(strategy) {
		return []Cost{{api.RuleTakesAllDown, "its strategy is Recreate: all its pods go before the first new one comes"}}, nil
	}
	return nil, err
}

// Costs tells of a DaemonSet that surges.
func (d daemonSet) Costs(spec Spec, live *unstructured.Unstructured) ([]Cost, error) {
	governs, err := ownerOf(spec, live, d)
	strategy, _ := governs["updateStrategy"].(map[string]any)
	surge := valueAt(strategy, "rollingUpdate", "maxSurge")
	if err != nil || valueAt(strategy, "type") == string(appsv1.OnDeleteDaemonSetStrategyType) || amountOf(surge, 100, true) == 0 {
		return nil, err
	}
	return []Cost{{api.RuleSurgeIsLost, fmt.Sprintf("its update strategy has maxSurge %v, and under OnDelete a node's pod goes before the new one comes", surge)}}, nil
}

// ownerOf is what the owner says in the fields that a driver holds, once the run is over.
func ownerOf(spec Spec, live *unstructured.Unstructured, d interface {
	Holds() []string
	family() family
}) (map[string]any, error) {
	hold, err := HoldOf(live)
	if err != nil {
		return nil, err
	}
	if hold != nil {
		live = hold.Owned(live, d.Holds())
	}
	holds := d.family().holds
	return restored(spec.WayBack, spec.Target, ownerFields(live, holds), holds)
}
