// Package field reads and writes single fields of objects that have no types. It knows no kind and no cluster.
package field

import (
	"encoding/json"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// Number reads a whole number; none where there is none.
func Number(object *unstructured.Unstructured, none int64, path ...string) int64 {
	value, ok, err := unstructured.NestedFieldNoCopy(object.Object, path...)
	if !ok || err != nil {
		return none
	}
	switch n := value.(type) {
	case int64:
		return n
	case float64:
		return int64(n)
	}
	return none
}

// Text reads a text; "" where there is none.
func Text(object *unstructured.Unstructured, path ...string) string {
	value, _, _ := unstructured.NestedString(object.Object, path...)
	return value
}

// Observed is the generation of its spec that an object's controller has seen.
func Observed(object *unstructured.Unstructured) int64 {
	observed, _, _ := unstructured.NestedInt64(object.Object, "status", "observedGeneration")
	return observed
}

// Amount resolves a number or a percentage.
func Amount(value any, of int, up bool) int {
	switch v := value.(type) {
	case int64:
		return int(v)
	case float64:
		return int(v)
	case string:
		percent, _ := strconv.Atoi(strings.TrimSuffix(v, "%"))
		if up {
			return (percent*of + 99) / 100
		}
		return percent * of / 100
	}
	return 0
}

// At reads whatever there is at a path of maps, nil where there is nothing. It is no copy.
func At(fields map[string]any, path ...string) any {
	value, _, _ := unstructured.NestedFieldNoCopy(fields, path...)
	return value
}

// Same reports whether two values read the same as JSON.
func Same(a, b any) bool {
	as, errA := json.Marshal(a)
	bs, errB := json.Marshal(b)
	return errA == nil && errB == nil && string(as) == string(bs)
}

// Pick copies the named fields out of an object's spec.
func Pick(object *unstructured.Unstructured, fields []string) map[string]any {
	owner := map[string]any{}
	spec, _ := object.Object["spec"].(map[string]any)
	for _, field := range fields {
		if value, ok := spec[field]; ok && value != nil {
			owner[field] = Copy(value)
		}
	}
	return owner
}

// Put puts fields into an object's spec; those of the names that have no value are taken away.
func Put(object *unstructured.Unstructured, names []string, values map[string]any) {
	spec, _ := object.Object["spec"].(map[string]any)
	if spec == nil {
		spec = map[string]any{}
		object.Object["spec"] = spec
	}
	for _, name := range names {
		value, ok := values[name]
		if !ok {
			delete(spec, name)
			continue
		}
		spec[name] = Copy(value)
	}
}

// Copy copies a value of an object, all the way down.
func Copy(value any) any {
	if fields, ok := value.(map[string]any); ok {
		return runtime.DeepCopyJSON(fields)
	}
	return runtime.DeepCopyJSONValue(value)
}

// Convert reads fields into a typed value.
func Convert(fields any, into any) error {
	text, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
