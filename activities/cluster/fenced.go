package cluster

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/kube"
)

// fenced is a cluster that is written to only while the Lease is the run's own: what a run that was taken for dead still
// sends must not come between the writes of the next.
type fenced struct {
	*kube.Cluster
	lease *kube.Guard
}

// Create creates an object, as the cluster does.
func (f fenced) Create(ctx context.Context, o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if err := f.lease.Check(ctx); err != nil {
		return nil, err
	}
	return f.Cluster.Create(ctx, o)
}

// Patch patches an object, as the cluster does.
func (f fenced) Patch(ctx context.Context, gvk schema.GroupVersionKind, namespace, name string, kind types.PatchType, patch []byte) (*unstructured.Unstructured, error) {
	if err := f.lease.Check(ctx); err != nil {
		return nil, err
	}
	return f.Cluster.Patch(ctx, gvk, namespace, name, kind, patch)
}

// Delete deletes an object, as the cluster does.
func (f fenced) Delete(ctx context.Context, gvk schema.GroupVersionKind, namespace, name string, uid types.UID) error {
	if err := f.lease.Check(ctx); err != nil {
		return err
	}
	return f.Cluster.Delete(ctx, gvk, namespace, name, uid)
}
