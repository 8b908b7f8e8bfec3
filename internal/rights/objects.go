package rights

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/internal/workload/drivers"
	"sluice.dev/sluice/templates"
)

// kept are the kinds that a run never takes away again.
var kept = []string{"CustomResourceDefinition", "Namespace", "PersistentVolumeClaim"}

// ofObjects is what bringing objects takes, and taking them back. Apart, namespaces are there before their roles.
func ofObjects(objects []*unstructured.Unstructured, apart bool) (all []Need) {
	plurals := declared(objects)
	has := func(kind, name string) bool {
		return slices.ContainsFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == kind && o.GetName() == name })
	}
	for _, o := range objects {
		kind := o.GroupVersionKind().GroupKind()
		place := In(o.GetNamespace())
		if o.GetNamespace() == "" {
			place = Outside
		}
		if driver, err := drivers.For(kind); err == nil {
			for _, r := range driver.Rights() {
				n := Need{Group: r.Group, Resource: r.Resource, Verbs: r.Verbs, Place: place, Why: r.Why}
				if r.Cluster {
					n.Place = Outside
				}
				all = append(all, n)
			}
			continue
		}
		if o.GetAnnotations()[templates.GeneratedAnnotation] != "" {
			all = append(all, ofGenerated(o, apart))
			continue
		}
		does := []string{"get", "create", "patch"}
		if !slices.Contains(kept, kind.Kind) {
			does = append(does, "delete")
		}
		all = append(all, Need{
			Group: kind.Group, Resource: resourceOf(o.GroupVersionKind(), plurals), Verbs: does, Place: place, Why: "components bring them",
		})
		all = append(all, besides(o, place, has)...)
	}
	return all
}

// ofGenerated is what a namespace takes that no template writes: it is made where it is missing, and left alone.
func ofGenerated(o *unstructured.Unstructured, apart bool) Need {
	n := Need{Resource: "namespaces", Verbs: []string{"get", "create"}, Place: Outside, Why: "components may be the first in theirs"}
	if apart {
		n.Names, n.Verbs, n.Why = []string{o.GetName()}, []string{"get"}, "components look for theirs"
	}
	return n
}

// besides is what comes with an object beside its own kind.
func besides(o *unstructured.Unstructured, place Place, has func(kind, name string) bool) (all []Need) {
	switch kind := o.GroupVersionKind().GroupKind(); {
	case kind.Kind == "PersistentVolumeClaim" && kind.Group == "":
		all = append(all, Need{
			Group: "storage.k8s.io", Resource: "storageclasses", Verbs: []string{"get"}, Place: Outside,
			Why: "a claim may wait for its first pod, which its class says",
		})
	case kind.Group == "rbac.authorization.k8s.io":
		all = append(all, given(o, place, has)...)
	}
	if o.GetAnnotations()[templates.BaseNameAnnotation] != "" {
		for _, history := range []string{"replicasets", "controllerrevisions"} {
			all = append(all, Need{
				Group: "apps", Resource: history, Verbs: []string{"list"}, Place: place,
				Why: "configuration of earlier versions goes when no pod template names it any more",
			})
		}
	}
	return all
}

// declared are the plural names of kinds whose definitions are among the objects.
func declared(objects []*unstructured.Unstructured) map[schema.GroupKind]string {
	plurals := map[schema.GroupKind]string{}
	for _, o := range objects {
		if o.GetKind() != "CustomResourceDefinition" {
			continue
		}
		text := func(path ...string) string {
			s, _, _ := unstructured.NestedString(o.Object, append([]string{"spec"}, path...)...)
			return s
		}
		plurals[schema.GroupKind{Group: text("group"), Kind: text("names", "kind")}] = text("names", "plural")
	}
	return plurals
}

// resourceOf is the plural of a kind: that of its definition, else the one that Kubernetes' own kinds follow.
func resourceOf(gvk schema.GroupVersionKind, plurals map[schema.GroupKind]string) string {
	if plural := plurals[gvk.GroupKind()]; plural != "" {
		return plural
	}
	plural, _ := meta.UnsafeGuessKindToResource(gvk)
	return plural.Resource
}

// guessed reports whether the plural of a kind is nobody's word.
func guessed(kind schema.GroupKind, plurals map[schema.GroupKind]string) bool {
	return plurals[kind] == "" && strings.Contains(kind.Group, ".") && !strings.HasSuffix(kind.Group, ".k8s.io")
}
