package workload

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The rules that a workload breaks whose owner's strategy cannot be kept while it moves.
const (
	TakesAllDown = "takes-all-down"
	SurgeIsLost  = "surge-is-lost"
)

// Cost is what moving a workload takes beyond what batches take, as the rule that it breaks.
type Cost struct {
	Rule string
	Why  string
}

// Costs returns what moving a live workload to the spec's target costs; nothing for one that is created. The owner's
// strategy is the one that the workload has once the run is over.
func Costs(spec Spec, live *unstructured.Unstructured) ([]Cost, error) {
	if live == nil {
		return nil, nil
	}
	kind := live.GroupVersionKind().GroupKind()
	switch {
	case kind == (deployment{}).Kind():
		governs, err := ownerOf(spec, live, (deployment{}).family().holds)
		if strategy, _ := governs["strategy"].(map[string]any); err == nil && recreates(strategy) {
			return []Cost{{TakesAllDown, "its strategy is Recreate: all its pods go before the first new one comes"}}, nil
		}
		return nil, err
	case kind == (daemonSet{}).Kind():
		governs, err := ownerOf(spec, live, (daemonSet{}).family().holds)
		strategy, _ := governs["updateStrategy"].(map[string]any)
		surge := valueAt(strategy, "rollingUpdate", "maxSurge")
		if err != nil || valueAt(strategy, "type") == string(appsv1.OnDeleteDaemonSetStrategyType) || amountOf(surge, 100, true) == 0 {
			return nil, err
		}
		return []Cost{{SurgeIsLost, fmt.Sprintf("its update strategy has maxSurge %v, and under OnDelete a node's pod goes before the new one comes", surge)}}, nil
	}
	return nil, nil
}

// ownerOf is what the owner says in the fields that a driver holds, once the run is over.
func ownerOf(spec Spec, live *unstructured.Unstructured, holds []string) (map[string]any, error) {
	owned, err := Owned(live)
	if err != nil {
		return nil, err
	}
	return restored(spec.WayBack, spec.Target, ownerFields(owned, holds), holds)
}
