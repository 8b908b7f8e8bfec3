package templates

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// reference is a place that holds the name of a ConfigMap or Secret.
type reference struct {
	kind   string
	holder map[string]any
	key    string
}

func (r reference) name() string {
	name, _ := r.holder[r.key].(string)
	return name
}

// secretVolumes are volumes that name a Secret as {secretRef: {name}}.
var secretVolumes = []string{"cephfs", "flexVolume", "iscsi", "rbd", "scaleIO", "storageos"}

// UsedConfig lists the ConfigMaps and Secrets, as Kind/namespace/name, that the pod template of an object names. An object
// without one uses none.
func UsedConfig(o *unstructured.Unstructured) []string {
	var used []string
	for _, r := range podReferences(podSpec(o)) {
		used = append(used, configKey(r.kind, o.GetNamespace(), r.name()))
	}
	return used
}

// podReferences returns every place in a pod spec that names a ConfigMap or Secret.
func podReferences(spec map[string]any) []reference {
	var found []reference
	add := func(kind string, holder any, key string) {
		if m, ok := holder.(map[string]any); ok && m[key] != nil {
			found = append(found, reference{kind, m, key})
		}
	}
	for _, volume := range items(spec, "volumes") {
		add("ConfigMap", volume["configMap"], "name")
		add("Secret", volume["secret"], "secretName")
		add("Secret", volume["azureFile"], "secretName")
		add("Secret", field(volume, "csi", "nodePublishSecretRef"), "name")
		for _, kind := range secretVolumes {
			add("Secret", field(volume, kind, "secretRef"), "name")
		}
		for _, source := range items(volume, "projected", "sources") {
			add("ConfigMap", source["configMap"], "name")
			add("Secret", source["secret"], "name")
		}
	}
	for _, list := range []string{"initContainers", "containers", "ephemeralContainers"} {
		for _, container := range items(spec, list) {
			for _, source := range items(container, "envFrom") {
				add("ConfigMap", source["configMapRef"], "name")
				add("Secret", source["secretRef"], "name")
			}
			for _, variable := range items(container, "env") {
				add("ConfigMap", field(variable, "valueFrom", "configMapKeyRef"), "name")
				add("Secret", field(variable, "valueFrom", "secretKeyRef"), "name")
			}
		}
	}
	for _, secret := range items(spec, "imagePullSecrets") {
		add("Secret", secret, "name")
	}
	return found
}

// referenceKey matches keys under which an object names a ConfigMap or Secret as {name: ...} or in a list of these.
var referenceKey = regexp.MustCompile(`(?i)(configmap|secret)(key)?(ref|s|refs)?$`)

// names reports whether an object, outside its own pod template, names a ConfigMap or Secret in a field that is made for
// it: an Ingress' TLS secret, a ServiceAccount's secrets, a Role's resourceNames, a custom resource's secretRef. Such a
// reference cannot be rewritten with the pods, batch by batch.
func names(object *unstructured.Unstructured, kind, name string) bool {
	content := maps.Clone(object.Object)
	delete(content, "metadata")
	return namedIn(content, podSpec(object), kind, name)
}

func namedIn(value any, skip map[string]any, kind, name string) bool {
	switch v := value.(type) {
	case map[string]any:
		if skip != nil && sameMap(v, skip) {
			return false
		}
		if resources, ok := v["resources"].([]any); ok && slices.Contains(resources, any(strings.ToLower(kind)+"s")) {
			if list, ok := v["resourceNames"].([]any); ok && slices.Contains(list, any(name)) {
				return true
			}
		}
		if v["kind"] == kind && v["name"] == name {
			return true
		}
		for key, item := range v {
			if isReference(key, item, kind, name) || namedIn(item, skip, kind, name) {
				return true
			}
		}
	case []any:
		for _, item := range v {
			if namedIn(item, skip, kind, name) {
				return true
			}
		}
	}
	return false
}

func isReference(key string, value any, kind, name string) bool {
	lower := strings.ToLower(key)
	if !strings.Contains(lower, strings.ToLower(kind)) {
		return false
	}
	switch v := value.(type) {
	case string:
		return v == name
	case map[string]any:
		return referenceKey.MatchString(key) && (v["name"] == name || v["secretName"] == name)
	case []any:
		return referenceKey.MatchString(key) && slices.ContainsFunc(v, func(item any) bool {
			m, ok := item.(map[string]any)
			return item == name || ok && m["name"] == name
		})
	}
	return false
}

// sameMap reports whether two maps are one: a change of either shows in the other.
func sameMap(a, b map[string]any) bool {
	if len(a) != len(b) {
		return false
	}
	const probe = "\x00probe"
	a[probe] = true
	_, shared := b[probe]
	delete(a, probe)
	return shared
}
