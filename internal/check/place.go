package check

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/kube"
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

// Pods are the pods of a unit's workloads, those of the new revision apart from all others. They are sorted by name, those that
// are being deleted among them. They are shared, and must not be changed.
type Pods struct {
	New, Old []*corev1.Pod
}
