// Package daemonset moves DaemonSets. Under OnDelete their controller only fills gaps; the pods of chosen nodes are evicted.
package daemonset

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/field"
	"sluice.dev/sluice/internal/workload/kit"
	"sluice.dev/sluice/pipelines"
)

// Kind moves native DaemonSets: the update strategy is OnDelete while it holds one, and it evicts the pods of the
// nodes that it chose, each by its UID. A DaemonSet that it creates has pods on all its nodes at once: the controller knows
// no partial creation, and there is no old version that could suffer.
//
// A node whose pod is missing or on its way out counts as moved: an armed DaemonSet fills it at the new revision. So nodes
// that join use the open batch up, and a batch that is begun anew after a crash never overshoots.
//
// A dead node replaces nothing: a pod that is evicted there stays Terminating until somebody removes the node. So none is
// chosen there, and none is waited for.
type Kind struct{}

// Family is that of DaemonSets.
func (Kind) Family() kit.Family {
	return kit.Family{
		Kind:     schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "DaemonSet"},
		Plural:   "daemonsets",
		History:  "controllerrevisions",
		Decode:   kit.DecodeControllerRevision,
		Schema:   appsv1.DaemonSet{},
		Holds:    []string{"updateStrategy"},
		Nodes:    true,
		OnDelete: true,
		Rights: []workload.Right{
			{Resource: "pods/eviction", Verbs: []string{"create"}, Why: "a pod goes so that one of the new version comes"},
			{Resource: "pods", Verbs: []string{"delete"}, Why: "one that is not ready goes without asking a budget"},
			{
				Group: "policy", Resource: "poddisruptionbudgets", Verbs: []string{"list"},
				Why: "one that can never be met keeps a workload from moving",
			},
		},
	}
}

// Check refuses a DaemonSet whose owner moves its pods by hand, and one with a budget that never lets a pod go.
func (Kind) Check(ctx context.Context, c workload.Cluster, spec workload.Spec, live *unstructured.Unstructured, held bool) error {
	if !held && isOnDelete(live) {
		return fault.New(fault.Refused, "cannot move %s: its update strategy is OnDelete, so its owner replaces its pods himself",
			workload.NameOf(live))
	}
	return checkBudgets(ctx, c, spec, int(field.Number(live, 0, "status", "desiredNumberScheduled")))
}

func isOnDelete(object *unstructured.Unstructured) bool {
	return field.Text(object, "spec", "updateStrategy", "type") == string(appsv1.OnDeleteDaemonSetStrategyType)
}

// Costs tells of a DaemonSet that surges.
func (Kind) Costs(owner map[string]any) []workload.Cost {
	surge := field.At(owner, "updateStrategy", "rollingUpdate", "maxSurge")
	if field.At(owner, "updateStrategy", "type") == string(appsv1.OnDeleteDaemonSetStrategyType) || field.Amount(surge, 100, true) == 0 {
		return nil
	}
	why := fmt.Sprintf("its update strategy has maxSurge %v, and under OnDelete a node's pod goes before the new one comes", surge)
	return []workload.Cost{{Rule: api.RuleSurgeIsLost, Why: why}}
}

// Grab switches to OnDelete; the parameters of the owner's strategy stay where they are.
func (Kind) Grab(_ *kit.Session, desired *unstructured.Unstructured, _ *workload.Hold) error {
	return unstructured.SetNestedField(desired.Object, string(appsv1.OnDeleteDaemonSetStrategyType), "spec", "updateStrategy", "type")
}

// Elsewhere reports whether a pod is of another revision than that of the desired template.
func (Kind) Elsewhere(s *kit.Session, desired *unstructured.Unstructured) bool {
	rev, ok := s.Current(desired)
	return !ok || slices.ContainsFunc(s.Pods(), func(p kit.Pod) bool {
		return p.Owner == desired.GetUID() && !p.Deleting && p.Hash != rev.Hash
	})
}

// Steady reports whether no living node lacks its pod.
func (Kind) Steady(ctx context.Context, s *kit.Session) (bool, error) {
	seen, err := shoot(ctx, s, kit.Aim{Living: true})
	return seen.going == 0, err
}

// Pause has nothing to do: under OnDelete the controller moves no pod.
func (Kind) Pause(*kit.Session, *unstructured.Unstructured, *workload.Hold) (bool, error) {
	return false, nil
}

// Sizes counts the living nodes that have a pod or should have one, and lists the dead ones that have one.
func (Kind) Sizes(ctx context.Context, s *kit.Session, sets []pipelines.NodeSet) ([]workload.Size, error) {
	seen, err := shoot(ctx, s, kit.Aim{Goal: workload.Goal{Sets: sets}, Living: true})
	if err != nil {
		return nil, err
	}
	sizes := make([]workload.Size, len(sets))
	for i := range sets {
		sizes[i] = workload.Size{Pods: seen.totals[i], Behind: seen.behind[i]}
	}
	return sizes, nil
}

// Mover evicts pods.
func (Kind) Mover(s *kit.Session, to kit.Aim) kit.Mover { return newEviction(s, to) }

// Left refuses where a living node has a pod of another revision. Those that have come back are left to the strategy.
func (Kind) Left(ctx context.Context, s *kit.Session, live *unstructured.Unstructured, rev kit.Revision) error {
	seen, err := shoot(ctx, s, kit.Aim{Revision: rev.Hash, Goal: kit.Everything(pipelines.Count(1)), Living: true})
	if err != nil {
		return err
	}
	elsewhere := 0
	for _, at := range seen.slots {
		elsewhere += int(kit.One(at.pod != nil && at.pod.Hash != rev.Hash && !at.returned))
	}
	if elsewhere == 0 {
		return nil
	}
	return s.Cannot("give back the update strategy of", fault.Refused, "%d of %d pods are not at revision %s and would move at once",
		elsewhere, len(seen.slots), rev.Hash)
}
