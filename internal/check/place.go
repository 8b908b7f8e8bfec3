package check

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// Place is the cluster that a question is about.
type Place struct {
	Cluster string // its name in the fleet
	API     *kube.Cluster
	// Facts looks at the workloads of the unit anew.
	Facts func(context.Context) (rule.Facts, error)
	// Objects returns these workloads themselves, as they are now.
	Objects func(context.Context) ([]*unstructured.Unstructured, error)
	// Others returns what else the unit's change has written by now, as it is now.
	Others func(context.Context) ([]Other, error)
	// Pods returns the pods of these workloads, from a watch.
	Pods func(context.Context) (Pods, error)
	// Untouched reports whether the run has written nothing into a cluster of the fleet.
	Untouched func(ctx context.Context, cluster string) (bool, error)
}

// unreached is fault.Unreachable where a measurement was an error and the cluster that it is about cannot be reached.
func (i Inquiry) unreached(ctx context.Context, s pipelines.ResolvedStep, f Finding) error {
	if f.Verdict != api.Error || i.Place == nil || i.Place.API == nil {
		return nil
	}
	if what, _ := pipelines.StepKindOf(s.Kind()); what.Blind {
		return nil
	}
	if err := i.Place.API.Reachable(ctx); fault.CodeOf(err) == fault.Unreachable {
		return err
	}
	return nil
}

// Pods are the pods of a unit's workloads, those of the new revision apart from all others. They are sorted by name, those that
// are being deleted among them. They are shared, and must not be changed.
type Pods struct {
	New, Old []*corev1.Pod
}
