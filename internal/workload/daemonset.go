package workload

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
)

// daemonSet moves native DaemonSets: the update strategy is OnDelete while it holds one, and it evicts the pods of the
// nodes that it chose, each by its UID. A DaemonSet that it creates has pods on all its nodes at once: the controller knows
// no partial creation, and there is no old version that could suffer.
//
// A node whose pod is missing or on its way out counts as moved: an armed DaemonSet fills it at the new revision. So nodes
// that join use the open batch up, and a batch that is begun anew after a crash never overshoots.
//
// A dead node replaces nothing: a pod that is evicted there stays Terminating until somebody removes the node. So none is
// chosen there, and none is waited for.
type daemonSet struct{}

// Family is that of DaemonSets.
func (daemonSet) Family() Family {
	return Family{
		Kind:     schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "DaemonSet"},
		Plural:   "daemonsets",
		History:  "controllerrevisions",
		Decode:   decodeControllerRevision,
		Schema:   appsv1.DaemonSet{},
		Holds:    []string{"updateStrategy"},
		Nodes:    true,
		OnDelete: true,
	}
}

// Check refuses a DaemonSet whose owner moves its pods by hand, and one with a budget that never lets a pod go.
func (daemonSet) Check(ctx context.Context, c Cluster, spec Spec, live *unstructured.Unstructured, held bool) error {
	if !held && isOnDelete(live) {
		return fault.New(fault.Refused, "cannot move %s: its update strategy is OnDelete, so its owner replaces its pods himself", nameOf(live))
	}
	return checkBudgets(ctx, c, spec, int(number(live, 0, "status", "desiredNumberScheduled")))
}

func isOnDelete(object *unstructured.Unstructured) bool {
	return text(object, "spec", "updateStrategy", "type") == string(appsv1.OnDeleteDaemonSetStrategyType)
}

// Costs tells of a DaemonSet that surges.
func (daemonSet) Costs(owner map[string]any) []Cost {
	surge := valueAt(owner, "updateStrategy", "rollingUpdate", "maxSurge")
	if valueAt(owner, "updateStrategy", "type") == string(appsv1.OnDeleteDaemonSetStrategyType) || amountOf(surge, 100, true) == 0 {
		return nil
	}
	why := fmt.Sprintf("its update strategy has maxSurge %v, and under OnDelete a node's pod goes before the new one comes", surge)
	return []Cost{{Rule: api.RuleSurgeIsLost, Why: why}}
}

// Grab switches to OnDelete; the parameters of the owner's strategy stay where they are.
func (daemonSet) Grab(_ *session, desired *unstructured.Unstructured, _ *Hold) error {
	return unstructured.SetNestedField(desired.Object, string(appsv1.OnDeleteDaemonSetStrategyType), "spec", "updateStrategy", "type")
}

// Elsewhere reports whether a pod is of another revision than that of the desired template.
func (daemonSet) Elsewhere(s *session, desired *unstructured.Unstructured) bool {
	rev, ok := s.current(desired)
	return !ok || slices.ContainsFunc(s.shown(), func(p pod) bool {
		return p.owner == desired.GetUID() && !p.deleting && p.hash != rev.hash
	})
}

// Steady reports whether no living node lacks its pod.
func (daemonSet) Steady(ctx context.Context, s *session) (bool, error) {
	seen, err := shoot(ctx, s, aim{living: true})
	return seen.going == 0, err
}

// Pause has nothing to do: under OnDelete the controller moves no pod.
func (daemonSet) Pause(*session, *unstructured.Unstructured, *Hold) (bool, error) { return false, nil }

// Sizes counts the living nodes that have a pod or should have one, and lists the dead ones that have one.
func (daemonSet) Sizes(ctx context.Context, s *session, sets []pipelines.NodeSet) ([]Size, error) {
	seen, err := shoot(ctx, s, aim{goal: Goal{Sets: sets}, living: true})
	if err != nil {
		return nil, err
	}
	sizes := make([]Size, len(sets))
	for i := range sets {
		sizes[i] = Size{Pods: seen.totals[i], Behind: seen.behind[i]}
	}
	return sizes, nil
}

// Mover evicts pods.
func (daemonSet) Mover(s *session, to aim) Mover { return newEviction(s, to) }

// Left refuses where a living node has a pod of another revision. Those that have come back are left to the strategy.
func (daemonSet) Left(ctx context.Context, s *session, live *unstructured.Unstructured, rev revision) error {
	seen, err := shoot(ctx, s, aim{revision: rev.hash, goal: everything(pipelines.Count(1)), living: true})
	if err != nil {
		return err
	}
	elsewhere := 0
	for _, at := range seen.slots {
		elsewhere += int(one(at.pod != nil && at.pod.hash != rev.hash && !at.returned))
	}
	if elsewhere == 0 {
		return nil
	}
	return fault.New(fault.Refused, "cannot give back the update strategy of %s in cluster %s: %d of %d pods are not at revision %s and would move at once",
		nameOf(live), s.c.Context(), elsewhere, len(seen.slots), rev.hash)
}
