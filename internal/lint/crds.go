package lint

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/pipelines/rule"
	"sluice.dev/sluice/templates"
)

// crdSet are the schemas of the kinds that the renders declare. Versions of a component may declare a kind differently: an
// object is held against the CRD of its own render, else against each of the others, and one that lets it pass will do.
type crdSet map[schema.GroupKind][]crd

type crd struct {
	render   *render
	versions map[string]map[string]any // -> openAPIV3Schema; nil where there is none
}

func (s crdSet) has(kind schema.GroupKind) bool { return len(s[kind]) > 0 }

func (s crdSet) add(r *render) {
	if r.rendered == nil {
		return
	}
	for _, object := range r.rendered.Objects {
		if object.GetKind() != "CustomResourceDefinition" {
			continue
		}
		group, _, _ := unstructured.NestedString(object.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(object.Object, "spec", "names", "kind")
		versions, _, _ := unstructured.NestedSlice(object.Object, "spec", "versions")
		declared := crd{render: r, versions: map[string]map[string]any{}}
		for _, v := range versions {
			one, _ := v.(map[string]any)
			name, _ := one["name"].(string)
			served, said := one["served"].(bool)
			if said && !served {
				continue
			}
			declared.versions[name], _, _ = unstructured.NestedMap(one, "schema", "openAPIV3Schema")
		}
		key := schema.GroupKind{Group: group, Kind: kind}
		s[key] = append(s[key], declared)
	}
}

// custom checks an object of a kind that a CRD of the renders declares.
func (k *kinds) custom(r *render, object templates.Object) []problem {
	kind := object.GroupVersionKind()
	declared := slices.Clone(k.crds[kind.GroupKind()])
	if own := slices.IndexFunc(declared, func(c crd) bool { return c.render == r }); own >= 0 {
		declared = declared[own : own+1]
	}
	var first []problem
	for i, c := range declared {
		found := k.against(r, object, c)
		if len(found) == 0 {
			return nil
		}
		if i == 0 {
			first = found
		}
	}
	return first
}

func (k *kinds) against(r *render, object templates.Object, c crd) []problem {
	version := object.GroupVersionKind().Version
	schema, served := c.versions[version]
	if !served {
		return []problem{k.at(r, object, nil, fmt.Sprintf("its CRD serves no version %s, only %s", version,
			strings.Join(slices.Sorted(maps.Keys(c.versions)), ", ")))}
	}
	if schema == nil {
		return nil
	}
	w := &schemaWalk{}
	w.object(nil, schema, object.Object, true)
	var found []problem
	for _, m := range w.found {
		found = append(found, k.at(r, object, m.path, m.says))
	}
	return found
}

// schemaWalk holds a value against a structural schema: fields that it does not declare, which the API server would drop in
// silence, types, enumerations, and fields that are missing.
type schemaWalk struct {
	found []mismatch
}

// mismatch is a field that is not as its kind says.
type mismatch struct {
	path    []string
	says    string
	unknown bool // the kind has no such field
}

// mismatched says of the field at a path what is wrong with it.
func mismatched(path []string, format string, args ...any) mismatch {
	says := fmt.Sprintf(format, args...)
	if len(path) > 0 {
		says = strings.Join(path, ".") + " " + says
	}
	return mismatch{path: slices.Clone(path), says: says}
}

func (w *schemaWalk) say(path []string, format string, args ...any) {
	w.found = append(w.found, mismatched(path, format, args...))
}

// ownFields are those of every object, which a schema need not declare.
var ownFields = []string{"apiVersion", "kind", "metadata"}

func (w *schemaWalk) object(path []string, s map[string]any, value map[string]any, whole bool) {
	properties, _ := s["properties"].(map[string]any)
	additional := s["additionalProperties"]
	keeps := isTrue(s["x-kubernetes-preserve-unknown-fields"]) || additional == true
	whole = whole || isTrue(s["x-kubernetes-embedded-resource"])
	for _, key := range slices.Sorted(maps.Keys(value)) {
		here := append(path, key)
		if whole && slices.Contains(ownFields, key) {
			continue
		}
		if declared, known := properties[key].(map[string]any); known {
			w.value(here, declared, value[key])
			continue
		}
		if inner, isSchema := additional.(map[string]any); isSchema {
			w.value(here, inner, value[key])
			continue
		}
		if !keeps {
			w.say(here, "is no field of its CRD%s", rule.Suggest(key, slices.Sorted(maps.Keys(properties))))
		}
	}
	required, _ := s["required"].([]any)
	for _, r := range required {
		name, _ := r.(string)
		_, there := value[name]
		declared, _ := properties[name].(map[string]any)
		_, defaulted := declared["default"]
		if !there && !defaulted && !(whole && slices.Contains(ownFields, name)) {
			w.say(path, "lacks the field %s, which its CRD requires", name)
		}
	}
}

func (w *schemaWalk) value(path []string, s map[string]any, value any) {
	if value == nil {
		return // dropped, defaulted or nullable
	}
	if isTrue(s["x-kubernetes-int-or-string"]) {
		switch value.(type) {
		case string, int64:
		default:
			w.say(path, "is %s, and a number or text is wanted", nature(value))
		}
		return
	}
	if wanted, _ := s["type"].(string); wanted != "" && !fits(wanted, value) {
		w.say(path, "is %s, and %s is wanted", nature(value), article(wanted))
		return
	}
	same := func(a any) bool { return fmt.Sprint(a) == fmt.Sprint(value) }
	if allowed, _ := s["enum"].([]any); len(allowed) > 0 && !slices.ContainsFunc(allowed, same) {
		w.say(path, "is %v, and its CRD allows %s", value, strings.Trim(strings.ReplaceAll(fmt.Sprintf("%v", allowed), " ", ", "), "[]"))
	}
	switch v := value.(type) {
	case map[string]any:
		w.object(path, s, v, false)
	case []any:
		items, isSchema := s["items"].(map[string]any)
		for i, item := range v {
			if isSchema {
				w.value(append(path, fmt.Sprint(i)), items, item)
			}
		}
	}
}

func isTrue(value any) bool { return value == true }

func fits(wanted string, value any) bool {
	switch value := value.(type) {
	case string:
		return wanted == "string"
	case bool:
		return wanted == "boolean"
	case int64:
		return wanted == "integer" || wanted == "number"
	case float64:
		return wanted == "number" || wanted == "integer" && value == float64(int64(value))
	case map[string]any:
		return wanted == "object"
	case []any:
		return wanted == "array"
	}
	return false
}

func nature(value any) string {
	switch value.(type) {
	case string:
		return "a text"
	case bool:
		return "true or false"
	case map[string]any:
		return "a map"
	case []any:
		return "a list"
	}
	return "a number"
}

func article(wanted string) string {
	switch wanted {
	case "object":
		return "a map"
	case "array":
		return "a list"
	case "string":
		return "a text"
	case "boolean":
		return "true or false"
	case "integer":
		return "a whole number"
	}
	return "a " + wanted
}
