package kube

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// Reader is what one can ask of a Cluster that changes nothing there. Watch takes one.
type Reader interface {
	Context() string
	Get(ctx context.Context, gvk schema.GroupVersionKind, namespace, name string) (*unstructured.Unstructured, error)
	List(ctx context.Context, gvk schema.GroupVersionKind, namespace string, filter Filter) ([]*unstructured.Unstructured, error)
	Deleted(uid types.UID) bool
	watched() *Cluster
}

// Writer is every way in which what a run moves is written. Its methods are a Cluster's.
type Writer interface {
	Create(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error)
	Patch(ctx context.Context, gvk schema.GroupVersionKind, namespace, name string, kind types.PatchType, patch []byte) (
		*unstructured.Unstructured, error)
	Delete(ctx context.Context, gvk schema.GroupVersionKind, namespace, name string, uid types.UID) error
	Evict(ctx context.Context, namespace, name string, uid types.UID) error
}

// Fenced is a cluster that is written to only while the Lease is the run's own: what a run that was taken for dead still sends
// must not come between the writes of the next. It has no other way to write.
type Fenced struct {
	Reader
	writes Writer
	guard  *Guard
}

// Fence puts a guard before every write to a cluster.
func Fence(c *Cluster, guard *Guard) Fenced { return Fenced{Reader: c, writes: c, guard: guard} }

// Create creates an object, as the cluster does.
func (f Fenced) Create(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if err := f.guard.Check(ctx); err != nil {
		return nil, err
	}
	return f.writes.Create(ctx, object)
}

// Patch patches an object, as the cluster does.
func (f Fenced) Patch(ctx context.Context, gvk schema.GroupVersionKind, namespace, name string, kind types.PatchType, patch []byte) (
	*unstructured.Unstructured, error,
) {
	if err := f.guard.Check(ctx); err != nil {
		return nil, err
	}
	return f.writes.Patch(ctx, gvk, namespace, name, kind, patch)
}

// Delete deletes an object, as the cluster does.
func (f Fenced) Delete(ctx context.Context, gvk schema.GroupVersionKind, namespace, name string, uid types.UID) error {
	if err := f.guard.Check(ctx); err != nil {
		return err
	}
	return f.writes.Delete(ctx, gvk, namespace, name, uid)
}

// Evict evicts a pod, as the cluster does.
func (f Fenced) Evict(ctx context.Context, namespace, name string, uid types.UID) error {
	if err := f.guard.Check(ctx); err != nil {
		return err
	}
	return f.writes.Evict(ctx, namespace, name, uid)
}
