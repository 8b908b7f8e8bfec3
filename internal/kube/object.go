package kube

import (
	"context"
	"encoding/json"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"sluice.dev/sluice/internal/fault"
)

// fieldManager is the name under which Sluice's writes stand in managedFields.
const fieldManager = "sluice"

// Filter narrows a list or a watch; the zero Filter is everything. The syntax is the API server's own.
type Filter struct {
	Labels string
	Fields string
}

// Get returns an object. Namespace is "" for what has none.
func (c *Cluster) Get(ctx context.Context, gvk schema.GroupVersionKind, namespace, name string) (*unstructured.Unstructured, error) {
	return c.one(ctx, "get", gvk, namespace, name, name, func(path string) *rest.Request {
		return c.client.Get().AbsPath(path)
	})
}

// List returns all objects of a kind in a namespace, or in all of them where namespace is "".
func (c *Cluster) List(ctx context.Context, gvk schema.GroupVersionKind, namespace string, filter Filter) (
	[]*unstructured.Unstructured, error,
) {
	what := label(gvk.Kind+" list", namespace, "")
	mapping, err := c.Mapping(ctx, gvk)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	raw, err := read(filter.on(c.client.Get().AbsPath(resourcePath(mapping.Resource, namespace, ""))).Do(ctx))
	if err != nil {
		return nil, c.fault(err, "get", what)
	}
	list := &unstructured.UnstructuredList{}
	if err := list.UnmarshalJSON(raw); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "cannot read %s of cluster %s", what, c.context)
	}
	items := make([]*unstructured.Unstructured, len(list.Items))
	for i := range list.Items {
		items[i] = &list.Items[i]
		items[i].SetGroupVersionKind(gvk)
	}
	return items, nil
}

// Create creates an object and returns it as it was stored. One of that name that is there is fault.Conflict.
func (c *Cluster) Create(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	return c.write(ctx, "create", object, "", func(path string) *rest.Request {
		return c.client.Post().AbsPath(path)
	})
}

// Update replaces an object and returns it as it was stored. Another resourceVersion than the object's is fault.Conflict.
func (c *Cluster) Update(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	return c.write(ctx, "update", object, object.GetName(), func(path string) *rest.Request {
		return c.client.Put().AbsPath(path)
	})
}

// Patch patches an object and returns it as it was stored. A resourceVersion in the patch that is not the stored one's is
// fault.Conflict.
func (c *Cluster) Patch(ctx context.Context, gvk schema.GroupVersionKind, namespace, name string, kind types.PatchType, patch []byte) (
	*unstructured.Unstructured, error,
) {
	return c.one(ctx, "patch", gvk, namespace, name, name, func(path string) *rest.Request {
		return strictly(gvk, c.client.Patch(kind).AbsPath(path).Param("fieldManager", fieldManager).Body(patch))
	})
}

// Delete deletes the object that has this UID; another one of the same name is fault.Conflict. It does not wait until the
// object is gone. An empty UID means whatever is there.
func (c *Cluster) Delete(ctx context.Context, gvk schema.GroupVersionKind, namespace, name string, uid types.UID) error {
	what := label(gvk.Kind, namespace, name)
	mapping, err := c.Mapping(ctx, gvk)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	options := map[string]any{"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
	if uid != "" {
		options["preconditions"] = map[string]any{"uid": uid}
	}
	body, err := json.Marshal(options)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "cannot delete %s in cluster %s", what, c.context)
	}
	path := resourcePath(mapping.Resource, namespace, name)
	err = c.client.Delete().AbsPath(path).Body(body).SetHeader("Content-Type", "application/json").Do(ctx).Error()
	if err != nil {
		return c.fault(err, "delete", what)
	}
	c.markDeleted(uid)
	return nil
}

// Evict evicts the pod that has this UID: its PodDisruptionBudgets have a say. One that does not allow it now is
// fault.Refused, and may allow it later; another pod of the same name is fault.Conflict.
func (c *Cluster) Evict(ctx context.Context, namespace, name string, uid types.UID) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	body, err := json.Marshal(map[string]any{
		"kind": "Eviction", "apiVersion": "policy/v1",
		"metadata":      map[string]any{"name": name, "namespace": namespace},
		"deleteOptions": map[string]any{"preconditions": map[string]any{"uid": uid}},
	})
	if err != nil {
		return fault.Wrap(fault.Internal, err, "cannot evict Pod %s/%s in cluster %s", namespace, name, c.context)
	}
	path := resourcePath(schema.GroupVersionResource{Version: "v1", Resource: "pods"}, namespace, name) + "/eviction"
	// A budget's refusal may ask for a retry in 10 seconds, for which the client would sleep; the caller waits better.
	err = c.client.Post().AbsPath(path).MaxRetries(0).Body(body).SetHeader("Content-Type", "application/json").Do(ctx).Error()
	switch {
	case blocked(err):
		return fault.Wrap(fault.Refused, err, "cannot evict Pod %s/%s in cluster %s", namespace, name, c.context)
	case err != nil:
		return c.fault(err, "evict", label("Pod", namespace, name))
	}
	c.markDeleted(uid)
	return nil
}

// Deleted reports whether this process has lately deleted or evicted the object with this UID. A watch that still shows it
// is only behind.
func (c *Cluster) Deleted(uid types.UID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.deleted[uid]
	return ok
}

func (c *Cluster) markDeleted(uid types.UID) {
	now := c.clock.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deleted[uid] = now
	if len(c.deleted)%256 != 0 {
		return
	}
	for other, at := range c.deleted {
		if now.Sub(at) > 10*time.Minute {
			delete(c.deleted, other)
		}
	}
}

// one makes a request about one object. InPath is its name where the path has one.
func (c *Cluster) one(
	ctx context.Context, verb string, gvk schema.GroupVersionKind, namespace, name, inPath string, request func(path string) *rest.Request,
) (*unstructured.Unstructured, error) {
	what := label(gvk.Kind, namespace, name)
	mapping, err := c.Mapping(ctx, gvk)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	raw, err := read(request(resourcePath(mapping.Resource, namespace, inPath)).Do(ctx))
	if err != nil {
		return nil, c.fault(err, verb, what)
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(raw); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "cannot read %s of cluster %s", what, c.context)
	}
	return object, nil
}

func (c *Cluster) write(
	ctx context.Context, verb string, object *unstructured.Unstructured, inPath string, request func(path string) *rest.Request,
) (*unstructured.Unstructured, error) {
	body, err := object.MarshalJSON()
	if err != nil {
		what := label(object.GetKind(), object.GetNamespace(), object.GetName())
		return nil, fault.Wrap(fault.Internal, err, "cannot %s %s in cluster %s", verb, what, c.context)
	}
	return c.one(ctx, verb, object.GroupVersionKind(), object.GetNamespace(), object.GetName(), inPath, func(path string) *rest.Request {
		r := request(path).Param("fieldManager", fieldManager).Body(body).SetHeader("Content-Type", "application/json")
		return strictly(object.GroupVersionKind(), r)
	})
}

// strictly has what is written of Sluice's own kinds be refused where a cluster's definition is of before and has no place for a field:
// without the files that it reads, say, a probe would fail for nothing.
func strictly(gvk schema.GroupVersionKind, request *rest.Request) *rest.Request {
	if gvk.Group != "sluice.dev" {
		return request
	}
	return request.Param("fieldValidation", metav1.FieldValidationStrict)
}

func (f Filter) on(request *rest.Request) *rest.Request {
	if f.Labels != "" {
		request = request.Param("labelSelector", f.Labels)
	}
	if f.Fields != "" {
		request = request.Param("fieldSelector", f.Fields)
	}
	return request
}

func resourcePath(resource schema.GroupVersionResource, namespace, name string) string {
	path := "/apis/" + resource.Group + "/" + resource.Version
	if resource.Group == "" {
		path = "/api/" + resource.Version
	}
	if namespace != "" {
		path += "/namespaces/" + namespace
	}
	path += "/" + resource.Resource
	if name != "" {
		path += "/" + name
	}
	return path
}

func label(kind, namespace, name string) string {
	if namespace != "" {
		name = namespace + "/" + name
	}
	return kind + " " + name
}
