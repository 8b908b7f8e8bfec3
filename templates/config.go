package templates

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	digestLength  = 10
	maxNameLength = 253
)

// content are the fields of a ConfigMap or Secret that pods can see.
var content = []string{"data", "binaryData", "stringData", "type", "immutable"}

// nameByDigest gives every ConfigMap and Secret that a pod template of the render uses a name with the digest of its
// content, and writes that name into the pod templates: a changed configuration is then a changed pod template, which
// goes batch by batch, and the old configuration stays for the pods that still run and for the way back.
//
// One that has to keep its name is returned instead: because its author says so, or because something other than a pod
// template names it too. So is one that no pod template names, where there are workloads: their programs may read it through
// the API.
func nameByDigest(objects []Object, in Input) ([]ReachesAtOnce, error) {
	uses := map[string][]reference{}
	for _, object := range objects {
		for _, r := range podReferences(podSpec(object.Unstructured)) {
			key := configKey(r.kind, namespaceOf(object.Unstructured, in), r.name())
			uses[key] = append(uses[key], r)
		}
	}
	works := slices.ContainsFunc(objects, func(o Object) bool { return rank(o.Unstructured) == rankWorkload })
	var atOnce []ReachesAtOnce
	for _, object := range objects {
		if !isConfig(object.Unstructured) {
			continue
		}
		used := uses[configKey(object.GetKind(), namespaceOf(object.Unstructured, in), object.GetName())]
		reason := keepsName(object.Unstructured, len(used) > 0, objects, in)
		switch {
		case reason != "":
			atOnce = append(atOnce, ReachesAtOnce{Object: Name(object.Unstructured), Reason: reason})
		case len(used) > 0:
			if err := rename(object, used); err != nil {
				return nil, err
			}
		case works:
			atOnce = append(atOnce, ReachesAtOnce{Object: Name(object.Unstructured), Reason: unnamed, Unnamed: true})
		}
	}
	slices.SortFunc(atOnce, func(a, b ReachesAtOnce) int { return strings.Compare(a.Object, b.Object) })
	return atOnce, nil
}

// unnamed is why a change of a ConfigMap or Secret that no pod template names is not held back by batches.
const unnamed = "no pod template names it, and what reads it through the API sees the change as soon as it is written"

func isConfig(object *unstructured.Unstructured) bool {
	kind := object.GroupVersionKind()
	return kind.Group == "" && (kind.Kind == "ConfigMap" || kind.Kind == "Secret")
}

func keepsName(config *unstructured.Unstructured, used bool, objects []Object, in Input) string {
	if config.GetAnnotations()[KeepNameAnnotation] == "true" {
		return "annotation " + KeepNameAnnotation
	}
	if !used {
		return ""
	}
	for _, other := range objects {
		if other.Unstructured == config || isConfig(other.Unstructured) {
			continue
		}
		namespace := namespaceOf(other.Unstructured, in)
		if other.GetNamespace() != "" && namespace != namespaceOf(config, in) {
			continue
		}
		if names(other.Unstructured, config.GetKind(), config.GetName()) {
			return Name(other.Unstructured) + " names it outside a pod template"
		}
	}
	return ""
}

func rename(object Object, used []reference) error {
	seen := map[string]any{}
	for _, key := range content {
		if value, set := object.Object[key]; set {
			seen[key] = value
		}
	}
	canonical, err := CanonicalJSON(seen)
	if err != nil {
		return &RenderError{File: object.Source, Object: Name(object.Unstructured), Message: "cannot name by digest", Cause: err}
	}
	base := object.GetName()
	name := base + "-" + strings.TrimPrefix(Digest(canonical), "sha256:")[:digestLength]
	if len(name) > maxNameLength {
		return &RenderError{File: object.Source, Object: Name(object.Unstructured),
			Message: fmt.Sprintf("the name is too long to take a digest: %d characters at most", maxNameLength-digestLength-1)}
	}
	object.SetName(name)
	annotate(object.Unstructured, BaseNameAnnotation, base)
	for _, r := range used {
		r.holder[r.key] = name
	}
	return nil
}

func configKey(kind, namespace, name string) string { return kind + "/" + namespace + "/" + name }

// namespaceOf is where an object goes: kinds whose scope nobody knows are taken to follow the release.
func namespaceOf(object *unstructured.Unstructured, in Input) string {
	if namespace := object.GetNamespace(); namespace != "" {
		return namespace
	}
	return in.Namespace
}

func annotate(object *unstructured.Unstructured, key, value string) {
	annotations := object.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[key] = value
	object.SetAnnotations(annotations)
}

func label(object *unstructured.Unstructured, key, value string) {
	labels := object.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[key] = value
	object.SetLabels(labels)
}
