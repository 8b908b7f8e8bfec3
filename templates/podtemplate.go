package templates

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// HasPodTemplate reports whether an object makes pods from a template: the workloads of Kubernetes, and custom resources
// that have a pod template in the same place.
func HasPodTemplate(object *unstructured.Unstructured) bool {
	return podSpec(object) != nil
}

// podSpec returns the pod spec inside an object, not a copy of it, or nil.
func podSpec(object *unstructured.Unstructured) map[string]any {
	path := []string{"spec", "template", "spec"}
	if object.GetKind() == "CronJob" {
		path = []string{"spec", "jobTemplate", "spec", "template", "spec"}
	}
	spec, ok := field(object.Object, path...).(map[string]any)
	if !ok {
		return nil
	}
	if containers, ok := spec["containers"].([]any); !ok || len(containers) == 0 {
		return nil
	}
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
