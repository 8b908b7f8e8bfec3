package templates

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// ID is an object's identity in a cluster: group/Kind/namespace/name. The version is no part of it, and what an object
// has none of is empty: "/ConfigMap/infra/agent", "rbac.authorization.k8s.io/ClusterRole//agent".
func ID(object *unstructured.Unstructured) string {
	kind := object.GroupVersionKind()
	return strings.Join([]string{kind.Group, kind.Kind, object.GetNamespace(), object.GetName()}, "/")
}

// Name is an object's name for people and exceptions: Kind/namespace/name, or Kind/name where it has no namespace.
func Name(object *unstructured.Unstructured) string {
	if object.GetNamespace() == "" {
		return object.GetKind() + "/" + object.GetName()
	}
	return object.GetKind() + "/" + object.GetNamespace() + "/" + object.GetName()
}
