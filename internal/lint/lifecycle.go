package lint

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
	utilversion "k8s.io/apimachinery/pkg/util/version"
)

// What the types of the client library say of the Kubernetes that serves them.
type (
	introduced interface {
		APILifecycleIntroduced() (major, minor int)
	}
	removed interface {
		APILifecycleRemoved() (major, minor int)
	}
	replaced interface {
		APILifecycleReplacement() schema.GroupVersionKind
	}
)

// unserved says why a Kubernetes does not serve a kind that the client library has a type of: not yet, or no more. It is ""
// where it does, and where the version cannot be read.
func unserved(kind schema.GroupVersionKind, kubeVersion string) string {
	object, err := shipped().New(kind)
	if err != nil {
		return ""
	}
	at, err := utilversion.ParseGeneric(kubeVersion)
	if err != nil {
		return ""
	}
	reached := func(major, minor int) bool { return at.AtLeast(utilversion.MajorMinor(uint(major), uint(minor))) }
	if since, said := object.(introduced); said && !reached(since.APILifecycleIntroduced()) {
		major, minor := since.APILifecycleIntroduced()
		return fmt.Sprintf("Kubernetes has %s in %s from v%d.%d on, and this is for %s",
			kind.Kind, kind.GroupVersion(), major, minor, kubeVersion)
	}
	until, said := object.(removed)
	if !said || !reached(until.APILifecycleRemoved()) {
		return ""
	}
	major, minor := until.APILifecycleRemoved()
	text := fmt.Sprintf("Kubernetes has no %s in %s from v%d.%d on", kind.Kind, kind.GroupVersion(), major, minor)
	if next, said := object.(replaced); said && !next.APILifecycleReplacement().Empty() {
		text += "; it is in " + next.APILifecycleReplacement().GroupVersion().String()
	}
	return text
}
