package change

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/templates"
)

// memory is a cluster that is a map: no API server, no controllers.
type memory struct {
	objects  map[string]*unstructured.Unstructured
	count    int
	unserved string                                                     // a kind
	wrote    []string                                                   // verb and name of every write
	before   func(verb string, object *unstructured.Unstructured) error // of every write; nil: it is let through
}

func newMemory() *memory { return &memory{objects: map[string]*unstructured.Unstructured{}} }

func lookedUp(gvk schema.GroupVersionKind, namespace, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(gvk)
	o.SetNamespace(namespace)
	o.SetName(name)
	return o
}

// put is somebody's write.
func (m *memory) put(o *unstructured.Unstructured) *unstructured.Unstructured {
	o = o.DeepCopy()
	m.count++
	if o.GetUID() == "" {
		o.SetUID(types.UID("uid-" + strconv.Itoa(m.count)))
	}
	o.SetResourceVersion(strconv.Itoa(m.count))
	m.objects[templates.ID(o)] = o
	return o.DeepCopy()
}

func (m *memory) asked(verb string, o *unstructured.Unstructured) error {
	if m.before != nil {
		if err := m.before(verb, o); err != nil {
			return err
		}
	}
	m.wrote = append(m.wrote, verb+" "+o.GetKind()+"/"+o.GetName())
	return nil
}

func (m *memory) Get(_ context.Context, gvk schema.GroupVersionKind, namespace, name string) (*unstructured.Unstructured, error) {
	if o := m.objects[templates.ID(lookedUp(gvk, namespace, name))]; o != nil {
		return o.DeepCopy(), nil
	}
	return nil, fault.New(fault.NotFound, "cannot get %s %s: it is not there", gvk.Kind, name)
}

func (m *memory) List(_ context.Context, gvk schema.GroupVersionKind, namespace string, _ kube.Filter) (
	[]*unstructured.Unstructured, error,
) {
	var all []*unstructured.Unstructured
	for _, id := range slices.Sorted(maps.Keys(m.objects)) {
		if o := m.objects[id]; o.GetKind() == gvk.Kind && o.GetNamespace() == namespace {
			all = append(all, o.DeepCopy())
		}
	}
	return all, nil
}

func (m *memory) Create(_ context.Context, o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if m.objects[templates.ID(o)] != nil {
		return nil, fault.New(fault.Conflict, "cannot create %s: it is there", o.GetName())
	}
	if err := m.asked("create", o); err != nil {
		return nil, err
	}
	return m.put(o), nil
}

func (m *memory) Patch(ctx context.Context, gvk schema.GroupVersionKind, namespace, name string, _ types.PatchType, patch []byte) (
	*unstructured.Unstructured, error,
) {
	live, err := m.Get(ctx, gvk, namespace, name)
	if err != nil {
		return nil, err
	}
	var change map[string]any
	if err := json.Unmarshal(patch, &change); err != nil {
		return nil, err
	}
	if v, _, _ := unstructured.NestedString(change, "metadata", "resourceVersion"); v != "" && v != live.GetResourceVersion() {
		return nil, fault.New(fault.Conflict, "cannot patch %s: it is at version %s, not %s", name, live.GetResourceVersion(), v)
	}
	if err := m.asked("patch", live); err != nil {
		return nil, err
	}
	merge(live.Object, change)
	return m.put(live), nil
}

// merge is a merge patch: it is enough for objects without keyed lists.
func merge(into, change map[string]any) {
	for key, value := range change {
		deeper, isMap := value.(map[string]any)
		under, has := into[key].(map[string]any)
		switch {
		case strings.HasPrefix(key, "$"):
		case value == nil:
			delete(into, key)
		case isMap && has:
			merge(under, deeper)
		default:
			into[key] = value
		}
	}
}

func (m *memory) Delete(_ context.Context, gvk schema.GroupVersionKind, namespace, name string, uid types.UID) error {
	o := m.objects[templates.ID(lookedUp(gvk, namespace, name))]
	switch {
	case o == nil:
		return fault.New(fault.NotFound, "cannot delete %s: it is not there", name)
	case o.GetUID() != uid:
		return fault.New(fault.Conflict, "cannot delete %s: it is another one", name)
	}
	if err := m.asked("delete", o); err != nil {
		return err
	}
	delete(m.objects, templates.ID(o))
	return nil
}

func (m *memory) Capabilities(context.Context) (kube.Capabilities, error) {
	return kube.Capabilities{Version: "v1.37.0"}, nil
}

func (m *memory) Mapping(_ context.Context, gvk schema.GroupVersionKind) (kube.Mapping, error) {
	if gvk.Kind == m.unserved {
		return kube.Mapping{}, fault.New(fault.NotFound, "cannot find %s: it is not served", gvk.Kind)
	}
	global := []string{"Namespace", "CustomResourceDefinition", "ValidatingWebhookConfiguration"}
	return kube.Mapping{Namespaced: !slices.Contains(global, gvk.Kind)}, nil
}

// book is records that are slices, all of one era.
type book struct {
	blobs      map[string][]byte
	images     []ledger.PreImage
	writes     []ledger.Write
	runs       []ledger.Run // newest first
	deployment *ledger.Deployment
	fails      func(ledger.Write) error // before a write is saved; nil: never
}

func newBook() *book { return &book{blobs: map[string][]byte{}} }

func (b *book) PutBlob(_ context.Context, data []byte) (string, error) {
	digest := ledger.Digest(data)
	b.blobs[digest] = data
	return digest, nil
}

func (b *book) Blob(_ context.Context, digest string) ([]byte, error) {
	if data, ok := b.blobs[digest]; ok {
		return data, nil
	}
	return nil, fault.New(fault.NotFound, "cannot find blob %s", digest)
}

func (b *book) ListPreImages(context.Context, string, string, api.Subject) ([]ledger.PreImage, error) {
	return slices.Clone(b.images), nil
}

func (b *book) ListEraWrites(context.Context, string, string, api.Subject) ([]ledger.Write, error) {
	return slices.Clone(b.writes), nil
}

func (b *book) ListWrites(_ context.Context, run, _ string) (of []ledger.Write, _ error) {
	for _, w := range b.writes {
		if w.Run == run {
			of = append(of, w)
		}
	}
	return of, nil
}

func (b *book) ListMade(context.Context, string, api.Subject) (made []ledger.Write, _ error) {
	for i, w := range b.writes {
		gone := slices.ContainsFunc(b.writes[i:], func(later ledger.Write) bool { return later.Object == w.Object && later.Step == stepDelete })
		if w.Created && !gone {
			made = append(made, w)
		}
	}
	return made, nil
}

func (b *book) ListRuns(context.Context, api.Subject, int) ([]ledger.Run, error) { return b.runs, nil }

func (b *book) Deployment(context.Context, string, api.Subject) (ledger.Deployment, error) {
	if b.deployment == nil {
		return ledger.Deployment{}, fault.New(fault.NotFound, "cannot find a deployment")
	}
	return *b.deployment, nil
}

func (b *book) SavePreImage(_ context.Context, p ledger.PreImage) error {
	same := func(was ledger.PreImage) bool {
		return was.Object == p.Object && was.UID == p.UID && was.TakenBack == ""
	}
	if !slices.ContainsFunc(b.images, same) {
		b.images = append(b.images, p)
	}
	return nil
}

func (b *book) SaveWrite(_ context.Context, w ledger.Write) error {
	if b.fails != nil {
		if err := b.fails(w); err != nil {
			return err
		}
	}
	for i, was := range b.writes {
		if was.Run == w.Run && was.Object == w.Object && was.Step == w.Step {
			b.writes[i] = w
			return nil
		}
	}
	b.writes = append(b.writes, w)
	return nil
}
