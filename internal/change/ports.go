package change

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/ledger"
)

// Getter reads one object of a cluster. An object that is not there is fault.NotFound.
type Getter interface {
	Get(ctx context.Context, gvk schema.GroupVersionKind, namespace, name string) (*unstructured.Unstructured, error)
}

// Cluster is the cluster that is written to. A write that lost a race, or found a name taken, is fault.Conflict; one that the API
// server does not take as it is, fault.Invalid.
type Cluster interface {
	Getter
	List(ctx context.Context, gvk schema.GroupVersionKind, namespace string, filter kube.Filter) ([]*unstructured.Unstructured, error)
	Create(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error)
	Patch(ctx context.Context, gvk schema.GroupVersionKind, namespace, name string, kind types.PatchType, patch []byte) (
		*unstructured.Unstructured, error)
	Delete(ctx context.Context, gvk schema.GroupVersionKind, namespace, name string, uid types.UID) error
}

// Served is the cluster that a render is compared with. A kind that it does not serve is fault.NotFound or fault.Invalid.
type Served interface {
	Getter
	Capabilities(ctx context.Context) (kube.Capabilities, error)
	Mapping(ctx context.Context, gvk schema.GroupVersionKind) (kube.Mapping, error)
}

// Blobs keeps what is too large for a record, by digest.
type Blobs interface {
	PutBlob(ctx context.Context, data []byte) (digest string, err error)
	Blob(ctx context.Context, digest string) ([]byte, error)
}

// Eras is what is known of a component's objects in a cluster since a deployment was recorded there last.
type Eras interface {
	ListPreImages(ctx context.Context, run, cluster string, subject api.Subject) ([]ledger.PreImage, error)
	ListEraWrites(ctx context.Context, run, cluster string, subject api.Subject) ([]ledger.Write, error)
}

// Past is an era with what is in its blobs.
type Past interface {
	Blobs
	Eras
}

// Journal is the records of one who writes. It is as wide as a write needs: what was there and what was meant are read and kept
// around each, and the objects themselves are blobs.
type Journal interface {
	Past
	SavePreImage(ctx context.Context, p ledger.PreImage) error
	SaveWrite(ctx context.Context, w ledger.Write) error
}

// History is the records of one who compares. It is as wide as the question of whose a difference is: what runs, who has written
// since, and what was made of it.
type History interface {
	Past
	Deployment(ctx context.Context, cluster string, subject api.Subject) (ledger.Deployment, error)
	ListRuns(ctx context.Context, subject api.Subject, limit int) ([]ledger.Run, error)
	ListWrites(ctx context.Context, run, cluster string) ([]ledger.Write, error)
	ListMade(ctx context.Context, cluster string, subject api.Subject) ([]ledger.Write, error)
}

// get reads the object of this kind and name; nil where there is none.
func get(ctx context.Context, c Getter, o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	live, err := c.Get(ctx, o.GroupVersionKind(), o.GetNamespace(), o.GetName())
	if fault.CodeOf(err) == fault.NotFound {
		return nil, nil
	}
	return live, err
}
