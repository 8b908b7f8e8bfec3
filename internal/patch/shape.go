package patch

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"sync"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	clientscheme "k8s.io/client-go/kubernetes/scheme"

	"sluice.dev/sluice/templates/podkind"
)

// registered returns the kinds that Kubernetes ships. It is a scheme of our own: other packages add kinds to the shared
// one, and what is merged how must not depend on what else is linked in.
var registered = sync.OnceValue(func() *runtime.Scheme {
	s := runtime.NewScheme()
	utilruntime.Must(clientscheme.AddToScheme(s))
	utilruntime.Must(apiextensionsv1.AddToScheme(s))
	return s
})

// podTemplateShape tells strategic merge how to merge a custom resource that carries a pod template: its CRD has no schema
// for the template that would say so.
type podTemplateShape struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              struct {
		Template             corev1.PodTemplateSpec         `json:"template"`
		VolumeClaimTemplates []corev1.PersistentVolumeClaim `json:"volumeClaimTemplates,omitempty"`
	} `json:"spec"`
}

// shape is what is known of how an object's kind is merged.
type shape struct {
	kind  schema.GroupVersionKind
	merge meta
	typed bool // the kind is one that Kubernetes ships
	pods  bool // a custom resource with a pod template
}

func shapeOf(object *unstructured.Unstructured) shape {
	kind := object.GroupVersionKind()
	if typed, err := registered().New(kind); err == nil {
		return shape{kind: kind, typed: true, merge: meta{strategicpatch.PatchMetaFromStruct{T: reflect.TypeOf(typed).Elem()}}}
	}
	if slices.Equal(podkind.Template(object), []string{"spec", "template"}) {
		return shape{kind: kind, pods: true, merge: meta{strategicpatch.PatchMetaFromStruct{T: reflect.TypeFor[podTemplateShape]()}}}
	}
	return shape{kind: kind}
}

// meta is how the fields below a place are merged. Where nothing is known - a field that is newer than this program, a
// map of strings, a custom resource - lists are replaced whole, as the API server does with a list it has no keys for.
type meta struct {
	known strategicpatch.LookupPatchMeta
}

var _ strategicpatch.LookupPatchMeta = meta{}

// LookupPatchMetadataForStruct implements strategicpatch.LookupPatchMeta.
func (m meta) LookupPatchMetadataForStruct(key string) (strategicpatch.LookupPatchMeta, strategicpatch.PatchMeta, error) {
	if m.known == nil {
		return meta{}, strategicpatch.PatchMeta{}, nil
	}
	sub, patchMeta, err := m.known.LookupPatchMetadataForStruct(key)
	if err != nil {
		return meta{}, strategicpatch.PatchMeta{}, nil
	}
	return meta{sub}, patchMeta, nil
}

// LookupPatchMetadataForSlice implements strategicpatch.LookupPatchMeta.
func (m meta) LookupPatchMetadataForSlice(key string) (strategicpatch.LookupPatchMeta, strategicpatch.PatchMeta, error) {
	if m.known == nil {
		return meta{}, strategicpatch.PatchMeta{}, nil
	}
	sub, patchMeta, err := m.known.LookupPatchMetadataForSlice(key)
	if err != nil {
		return meta{}, strategicpatch.PatchMeta{}, nil
	}
	return meta{sub}, patchMeta, nil
}

// Name implements strategicpatch.LookupPatchMeta.
func (m meta) Name() string {
	if m.known == nil {
		return "unknown"
	}
	return m.known.Name()
}

// undefaulted are types that lists hold which are replaced whole, and in which the API server fills in nothing.
var undefaulted = []reflect.Type{
	reflect.TypeFor[metav1.LabelSelector](),
	reflect.TypeFor[networkingv1.NetworkPolicyEgressRule](),
	reflect.TypeFor[networkingv1.NetworkPolicyIngressRule](),
	reflect.TypeFor[networkingv1.NetworkPolicyPeer](),
	reflect.TypeFor[rbacv1.PolicyRule](),
}

func (m meta) isUndefaulted() bool {
	known, isType := m.known.(strategicpatch.PatchMetaFromStruct)
	return isType && (slices.Contains(undefaulted, known.T) || m.isPointer() && slices.Contains(undefaulted, known.T.Elem()))
}

func (m meta) isPointer() bool {
	known, isType := m.known.(strategicpatch.PatchMetaFromStruct)
	return isType && known.T.Kind() == reflect.Pointer
}

// retainKeys is the strategy of unions: a volume's source, a Deployment's strategy.
const retainKeys = "retainKeys"

// list is how a list is merged.
type list struct {
	element meta
	merged  bool   // element by element; otherwise it is replaced whole
	retain  bool   // elements are unions: keys that the target does not name go
	key     string // that tells elements apart; "" where they are scalars
}

func (m meta) child(key string) meta {
	sub, _, _ := m.LookupPatchMetadataForStruct(key)
	return sub.(meta)
}

// retains reports whether the map under a key is a union, of which only the keys that the target names are kept.
func (m meta) retains(key string) bool {
	_, patchMeta, _ := m.LookupPatchMetadataForStruct(key)
	return slices.Contains(patchMeta.GetPatchStrategies(), retainKeys)
}

func (m meta) list(key string) list {
	sub, patchMeta, _ := m.LookupPatchMetadataForSlice(key)
	return list{
		element: sub.(meta),
		merged:  slices.Contains(patchMeta.GetPatchStrategies(), "merge"),
		retain:  slices.Contains(patchMeta.GetPatchStrategies(), retainKeys),
		key:     patchMeta.GetPatchMergeKey(),
	}
}

// byKey returns the elements of a list by their key; false where a key is missing or not unique, as with a Service that
// serves one port by TCP and UDP.
func byKey(elements []any, key string) (map[string]any, bool) {
	found := make(map[string]any, len(elements))
	for _, element := range elements {
		m, ok := element.(map[string]any)
		if !ok || m[key] == nil {
			return nil, false
		}
		name := fmt.Sprint(m[key])
		if _, twice := found[name]; twice {
			return nil, false
		}
		found[name] = element
	}
	return found, true
}

// labels names the elements of a list in paths: by key, else by name, else by index.
func labels(elements []any, key string) []string {
	for _, candidate := range []string{key, "name"} {
		if candidate == "" {
			continue
		}
		if _, unique := byKey(elements, candidate); !unique {
			continue
		}
		names := make([]string, len(elements))
		for i, element := range elements {
			names[i] = fmt.Sprint(element.(map[string]any)[candidate])
		}
		return names
	}
	names := make([]string, len(elements))
	for i := range elements {
		names[i] = strconv.Itoa(i)
	}
	return names
}

// at returns what is at a path of maps, or nil.
func at(value any, path ...string) any {
	for _, key := range path {
		m, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = m[key]
	}
	return value
}
