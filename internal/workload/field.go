package workload

import (
	"encoding/json"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

func number(object *unstructured.Unstructured, none int64, path ...string) int64 {
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

func text(object *unstructured.Unstructured, path ...string) string {
	value, _, _ := unstructured.NestedString(object.Object, path...)
	return value
}

func observedGeneration(object *unstructured.Unstructured) int64 {
	observed, _, _ := unstructured.NestedInt64(object.Object, "status", "observedGeneration")
	return observed
}

// amountOf resolves a number or a percentage.
func amountOf(value any, of int, up bool) int {
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

func valueAt(fields map[string]any, path ...string) any {
	value, _, _ := unstructured.NestedFieldNoCopy(fields, path...)
	return value
}

func sameJSON(a, b any) bool {
	as, errA := json.Marshal(a)
	bs, errB := json.Marshal(b)
	return errA == nil && errB == nil && string(as) == string(bs)
}

// ownerFields copies the named fields out of an object's spec.
func ownerFields(object *unstructured.Unstructured, fields []string) map[string]any {
	owner := map[string]any{}
	spec, _ := object.Object["spec"].(map[string]any)
	for _, field := range fields {
		if value, ok := spec[field]; ok && value != nil {
			owner[field] = deepCopy(value)
		}
	}
	return owner
}

// setFields puts fields into an object's spec; those of the names that have no value are taken away.
func setFields(object *unstructured.Unstructured, names []string, values map[string]any) {
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
		spec[name] = deepCopy(value)
	}
}

func deepCopy(value any) any {
	if fields, ok := value.(map[string]any); ok {
		return runtime.DeepCopyJSON(fields)
	}
	return runtime.DeepCopyJSONValue(value)
}

// convert reads fields into a typed value.
func convert(fields any, into any) error {
	text, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
