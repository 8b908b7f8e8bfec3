package patch

import (
	"encoding/base64"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// serverFields are the metadata that only the API server writes.
var serverFields = []string{"uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
	"deletionGracePeriodSeconds", "selfLink", "managedFields"}

// spec returns a copy of what an object's author can say: no status, no metadata of the server's.
func spec(object *unstructured.Unstructured) *unstructured.Unstructured {
	if object == nil {
		return nil
	}
	out := object.DeepCopy()
	delete(out.Object, "status")
	for _, key := range serverFields {
		unstructured.RemoveNestedField(out.Object, "metadata", key)
	}
	return out
}

// canonical returns an object's spec as the API server would write it: quantities, base64 and empty fields in one form, so
// that two objects that mean the same are the same. Fields that this program does not know stay as they are, and so do
// nulls. An empty value that the API server would leave out is kept only where beside says something in its place: there
// "no host network" is a difference, elsewhere it is nothing.
func (s shape) canonical(object *unstructured.Unstructured, beside map[string]any) (map[string]any, error) {
	if object == nil {
		return nil, nil
	}
	out := spec(object).Object
	if isSecret(object) {
		foldStringData(out)
	}
	if s.typed {
		typed, err := registered().New(s.kind)
		if err != nil {
			return nil, err
		}
		return roundTrip(out, typed, beside, s.merge)
	}
	if !s.pods {
		return out, nil
	}
	inner, m := asMap(out["spec"]), s.merge.child("spec")
	template, err := roundTrip(asMap(inner["template"]), &corev1.PodTemplateSpec{}, asMap(at(beside, "spec", "template")), m.child("template"))
	if err != nil {
		return nil, err
	}
	if inner["template"] != nil {
		inner["template"] = template
	}
	claims, l := asList(inner["volumeClaimTemplates"]), m.list("volumeClaimTemplates")
	others := byLabel(asList(at(beside, "spec", "volumeClaimTemplates")), l.key)
	for i, label := range labels(claims, l.key) {
		if claims[i], err = roundTrip(asMap(claims[i]), &corev1.PersistentVolumeClaim{}, asMap(others[label]), l.element); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func roundTrip(raw map[string]any, typed any, beside map[string]any, m meta) (map[string]any, error) {
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, typed); err != nil {
		return nil, err
	}
	written, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil {
		return nil, err
	}
	return overlay(raw, written, beside, m), nil
}

// overlay takes from written what raw says too. What written lacks is either empty, and then the API server leaves it out,
// or a field that is newer than this program.
func overlay(raw, written, beside map[string]any, m meta) map[string]any {
	out := make(map[string]any, len(raw))
	for key, value := range raw {
		other, there := written[key]
		switch {
		case value == nil:
			out[key] = nil
		case (!there || isEmptyList(value)) && isEmpty(value) && beside[key] == nil:
		case !there:
			out[key] = value
		default:
			out[key] = overlayValue(value, other, beside[key], m.child(key), m.list(key))
		}
	}
	return out
}

func overlayValue(raw, written, beside any, m meta, l list) any {
	switch r := raw.(type) {
	case map[string]any:
		if w, ok := written.(map[string]any); ok {
			return overlay(r, w, asMap(beside), m)
		}
	case []any:
		w, ok := written.([]any)
		if !ok || len(w) != len(r) {
			return written
		}
		others := byLabel(asList(beside), l.key)
		out := make([]any, len(r))
		for i, label := range labels(r, l.key) {
			out[i] = overlayValue(r[i], w[i], others[label], l.element, list{})
		}
		return out
	}
	return written
}

// isEmptyList reports whether a value is a list of nothing, which the API server stores as none.
func isEmptyList(value any) bool {
	l, isList := value.([]any)
	return isList && len(l) == 0
}

func isEmpty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	default:
		return reflect.ValueOf(value).IsZero()
	}
}

func isSecret(object *unstructured.Unstructured) bool {
	kind := object.GroupVersionKind()
	return kind.Group == "" && kind.Kind == "Secret"
}

// foldStringData does what the API server does on a write.
func foldStringData(secret map[string]any) {
	plain := asMap(secret["stringData"])
	delete(secret, "stringData")
	if len(plain) == 0 {
		return
	}
	data := asMap(secret["data"])
	if data == nil {
		data = map[string]any{}
		secret["data"] = data
	}
	for key, value := range plain {
		if text, ok := value.(string); ok {
			data[key] = base64.StdEncoding.EncodeToString([]byte(text))
		}
	}
}

// equal reports whether two canonical values are the same. Null and absent are the same, and so are 1 and 1.0.
func equal(a, b any) bool {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok {
			return false
		}
		for _, key := range unionKeys(x, y) {
			if !equal(x[key], y[key]) {
				return false
			}
		}
		return true
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !equal(x[i], y[i]) {
				return false
			}
		}
		return true
	}
	if x, ok := number(a); ok {
		y, isNumber := number(b)
		return isNumber && x == y
	}
	switch b.(type) {
	case map[string]any, []any:
		return false
	}
	return a == b
}

func number(value any) (float64, bool) {
	switch v := value.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case int:
		return float64(v), true
	default:
		return 0, false
	}
}
