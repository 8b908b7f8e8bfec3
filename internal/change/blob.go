package change

import (
	"context"
	"encoding/json"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/templates"
)

// Store keeps a value as JSON, and returns its digest.
func Store(ctx context.Context, blobs Blobs, v any) (string, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "cannot encode %T", v)
	}
	return blobs.PutBlob(ctx, data)
}

// Load reads what Store kept.
func Load(ctx context.Context, blobs Blobs, digest string, v any) error {
	data, err := blobs.Blob(ctx, digest)
	if err != nil {
		return err
	}
	return fault.Wrap(fault.Internal, json.Unmarshal(data, v), "cannot read blob %s", digest)
}

// Objects reads a recorded set of objects; none where the digest is empty.
func Objects(ctx context.Context, blobs Blobs, digest string) ([]*unstructured.Unstructured, error) {
	if digest == "" {
		return nil, nil
	}
	data, err := blobs.Blob(ctx, digest)
	if err != nil {
		return nil, err
	}
	objects, err := templates.Decode(data)
	return objects, fault.Wrap(fault.Internal, err, "cannot read recorded objects %s", digest)
}

func storeObjects(ctx context.Context, blobs Blobs, objects []*unstructured.Unstructured) (string, error) {
	data, err := templates.Encode(objects)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "cannot encode objects")
	}
	return blobs.PutBlob(ctx, data)
}

// intended is the object that a write was meant to leave, or to take away.
func intended(ctx context.Context, blobs Blobs, w ledger.Write) (*unstructured.Unstructured, error) {
	o := &unstructured.Unstructured{}
	return o, Load(ctx, blobs, w.Intent, &o.Object)
}

// imageOf is the object of a pre-image.
func imageOf(ctx context.Context, blobs Blobs, p ledger.PreImage) (*unstructured.Unstructured, error) {
	data, err := blobs.Blob(ctx, p.Image)
	if err != nil {
		return nil, err
	}
	o := &unstructured.Unstructured{}
	return o, fault.Wrap(fault.Internal, o.UnmarshalJSON(data), "cannot read pre-image %s", p.Image)
}

// byID finds objects of a set by their identity.
func byID(objects []*unstructured.Unstructured) map[string]*unstructured.Unstructured {
	out := make(map[string]*unstructured.Unstructured, len(objects))
	for _, o := range objects {
		out[templates.ID(o)] = o
	}
	return out
}
