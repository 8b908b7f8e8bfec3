// Package deployment moves Deployments. Their own controller replaces the pods; it is told step by step how many may be new.
package deployment

import (
	"context"
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

// With these a new pod never counts as available to the Deployment controller, which then halts at exactly maxUnavailable
// new pods, and never calls that a failure. They are the highest values that the API server takes.
const (
	lockReady    = 2147483646
	lockDeadline = 2147483647
)

// Kind moves native Deployments: their stock controller does the work and keeps the ceiling, also while Sluice is
// down. Within a batch maxSurge and maxUnavailable go step by step, as far as the owner and the pods that are available
// allow (surge.go). Replicas stay whose they are: the ceiling is said in percent where it can be, so that it shrinks with
// them. Between two batches, and wherever the ceiling is a number, the Deployment is paused: its controller then scales old
// and new pods alike. A Deployment that is created, or whose template stays the same, needs no lock: it has no old pods.
type Kind struct{}

// Family is that of Deployments. Their ReplicaSets are their revisions.
func (Kind) Family() kit.Family {
	return kit.Family{
		Kind:    schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"},
		Plural:  "deployments",
		History: "replicasets",
		Decode:  kit.DecodeReplicaSet,
		Schema:  appsv1.Deployment{},
		Holds:   []string{"strategy", "minReadySeconds", "progressDeadlineSeconds", "paused"},
		Late:    true,
		Rights: []workload.Right{
			{Group: "apps", Resource: "replicasets", Verbs: []string{"patch"}, Why: "a lock is taken off those of before"},
		},
		Tidy: tidy,
	}
}

// tidy takes away what the API server has put beside the type of a strategy and would not take with another.
func tidy(fields map[string]any) {
	if strategy, _ := fields["strategy"].(map[string]any); recreates(strategy) {
		delete(strategy, "rollingUpdate")
	}
}

// Check refuses a Deployment that its owner has paused or scaled to 0.
func (Kind) Check(_ context.Context, _ workload.Cluster, spec workload.Spec, live *unstructured.Unstructured, held bool) error {
	if held {
		return nil
	}
	for _, object := range []*unstructured.Unstructured{live, spec.Target} {
		if isPaused(object) {
			return fault.New(fault.Refused, "cannot move %s: its owner has paused it", workload.NameOf(object))
		}
	}
	if replicasOf(live) == 0 {
		return fault.New(fault.Refused, "cannot move %s: it has 0 replicas, so nothing could be checked", workload.NameOf(live))
	}
	return nil
}

// Costs tells of a Deployment that is recreated.
func (Kind) Costs(owner map[string]any) []workload.Cost {
	if strategy, _ := owner["strategy"].(map[string]any); recreates(strategy) {
		return []workload.Cost{{Rule: api.RuleTakesAllDown, Why: "its strategy is Recreate: all its pods go before the first new one comes"}}
	}
	return nil
}

// Grab pauses the Deployment and locks it, unless all its pods are at the desired template already. Its surge stays as it is:
// a Deployment that is paused in the middle of a step would else lose pods, good ones too.
func (d Kind) Grab(s *kit.Session, desired *unstructured.Unstructured, hold *workload.Hold) error {
	if desired.GetUID() == "" || !d.Elsewhere(s, desired) {
		return nil
	}
	governs, err := governing(s, hold.Owner, hold.Back)
	if err != nil {
		return err
	}
	field.Put(desired, s.Family.Holds, map[string]any{
		"paused":                  true,
		"minReadySeconds":         int64(lockReady),
		"progressDeadlineSeconds": int64(lockDeadline),
		"strategy":                pausedStrategy(desired, governs, total(s, desired)),
	})
	hold.Told = field.At(desired.Object, "spec", "strategy")
	return nil
}

// Elsewhere reports whether another ReplicaSet than that of the desired template has pods.
func (Kind) Elsewhere(s *kit.Session, desired *unstructured.Unstructured) bool {
	rev, ok := s.Current(desired)
	return !ok || slices.ContainsFunc(s.Revisions(), func(r kit.Revision) bool {
		return r.Owner == desired.GetUID() && r.UID != rev.UID && r.Replicas > 0
	})
}

// Sizes is the number of replicas, in the first set.
func (Kind) Sizes(ctx context.Context, s *kit.Session, sets []pipelines.NodeSet) ([]workload.Size, error) {
	live, err := s.Live(ctx)
	if err != nil {
		return nil, err
	}
	if live == nil {
		live = s.Spec.Target
	}
	sizes := make([]workload.Size, len(sets))
	if len(sizes) > 0 {
		sizes[0].Pods = replicasOf(live)
	}
	return sizes, nil
}

// Mover has the controller move pods step by step.
func (Kind) Mover(s *kit.Session, to kit.Aim) kit.Mover { return &steps{Session: s, aim: to} }

// Left refuses where another ReplicaSet has pods.
func (d Kind) Left(_ context.Context, s *kit.Session, live *unstructured.Unstructured, rev kit.Revision) error {
	if d.Elsewhere(s, live) || rev.Replicas != int64(replicasOf(live)) {
		return s.Cannot("give back the strategy of", fault.Refused, "%d of %d pods are at its template, the others would move at once",
			rev.Replicas, replicasOf(live))
	}
	return nil
}

func replicasOf(object *unstructured.Unstructured) int {
	return int(field.Number(object, 1, "spec", "replicas"))
}

func locked(object *unstructured.Unstructured) bool {
	return field.Number(object, 0, "spec", "minReadySeconds") == lockReady
}
