package templates

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/templates/podkind"
)

// podSpec returns the pod spec inside an object, not a copy of it, or nil.
func podSpec(object *unstructured.Unstructured) map[string]any {
	path := podkind.Template(object)
	if path == nil {
		return nil
	}
	spec, _ := field(object.Object, append(path, "spec")...).(map[string]any)
	return spec
}

// field returns what is at a path of maps, not a copy of it, or nil.
func field(value any, path ...string) any {
	for _, key := range path {
		m, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = m[key]
	}
	return value
}

// items returns the maps of a list of maps at a path; other elements are left out.
func items(value any, path ...string) []map[string]any {
	list, _ := field(value, path...).([]any)
	maps := make([]map[string]any, 0, len(list))
	for _, element := range list {
		if m, ok := element.(map[string]any); ok {
			maps = append(maps, m)
		}
	}
	return maps
}
