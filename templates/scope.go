package templates

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

// clusterScoped are the kinds of Kubernetes that live in no namespace.
var clusterScoped = map[schema.GroupKind]bool{
	{Kind: "Namespace"}:        true,
	{Kind: "Node"}:             true,
	{Kind: "PersistentVolume"}: true,
	{Group: "admissionregistration.k8s.io", Kind: "MutatingWebhookConfiguration"}:     true,
	{Group: "admissionregistration.k8s.io", Kind: "ValidatingWebhookConfiguration"}:   true,
	{Group: "admissionregistration.k8s.io", Kind: "ValidatingAdmissionPolicy"}:        true,
	{Group: "admissionregistration.k8s.io", Kind: "ValidatingAdmissionPolicyBinding"}: true,
	{Group: "admissionregistration.k8s.io", Kind: "MutatingAdmissionPolicy"}:          true,
	{Group: "admissionregistration.k8s.io", Kind: "MutatingAdmissionPolicyBinding"}:   true,
	{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}:                 true,
	{Group: "apiregistration.k8s.io", Kind: "APIService"}:                             true,
	{Group: "authentication.k8s.io", Kind: "TokenReview"}:                             true,
	{Group: "authorization.k8s.io", Kind: "SubjectAccessReview"}:                      true,
	{Group: "certificates.k8s.io", Kind: "CertificateSigningRequest"}:                 true,
	{Group: "certificates.k8s.io", Kind: "ClusterTrustBundle"}:                        true,
	{Group: "flowcontrol.apiserver.k8s.io", Kind: "FlowSchema"}:                       true,
	{Group: "flowcontrol.apiserver.k8s.io", Kind: "PriorityLevelConfiguration"}:       true,
	{Group: "networking.k8s.io", Kind: "IngressClass"}:                                true,
	{Group: "networking.k8s.io", Kind: "IPAddress"}:                                   true,
	{Group: "networking.k8s.io", Kind: "ServiceCIDR"}:                                 true,
	{Group: "node.k8s.io", Kind: "RuntimeClass"}:                                      true,
	{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole"}:                         true,
	{Group: "rbac.authorization.k8s.io", Kind: "ClusterRoleBinding"}:                  true,
	{Group: "resource.k8s.io", Kind: "DeviceClass"}:                                   true,
	{Group: "resource.k8s.io", Kind: "ResourceSlice"}:                                 true,
	{Group: "scheduling.k8s.io", Kind: "PriorityClass"}:                               true,
	{Group: "storage.k8s.io", Kind: "CSIDriver"}:                                      true,
	{Group: "storage.k8s.io", Kind: "CSINode"}:                                        true,
	{Group: "storage.k8s.io", Kind: "StorageClass"}:                                   true,
	{Group: "storage.k8s.io", Kind: "VolumeAttachment"}:                               true,
	{Group: "storage.k8s.io", Kind: "VolumeAttributesClass"}:                          true,
}

// setNamespaces gives the release namespace to objects that live in one and name none, and takes it from objects that
// live in none. Kinds that nobody knows stay as they were rendered.
func setNamespaces(objects []Object, in Input) {
	scopes := renderedScopes(objects)
	for _, object := range objects {
		namespaced, known := scopeOf(object.Unstructured, scopes, in)
		switch {
		case known && !namespaced:
			unstructured.RemoveNestedField(object.Object, "metadata", "namespace")
		case known && object.GetNamespace() == "":
			object.SetNamespace(in.Namespace)
		}
	}
}

func scopeOf(object *unstructured.Unstructured, rendered map[schema.GroupKind]bool, in Input) (namespaced, known bool) {
	kind := object.GroupVersionKind()
	if in.Namespaced != nil {
		if namespaced, known := in.Namespaced(kind); known {
			return namespaced, true
		}
	}
	if namespaced, known := rendered[kind.GroupKind()]; known {
		return namespaced, true
	}
	if clusterScoped[kind.GroupKind()] {
		return false, true
	}
	return true, scheme.Scheme.Recognizes(kind)
}

// renderedScopes reads the scopes of kinds whose CRD is rendered beside them: no cluster knows those yet.
func renderedScopes(objects []Object) map[schema.GroupKind]bool {
	scopes := map[schema.GroupKind]bool{}
	for _, object := range objects {
		if object.GetKind() != "CustomResourceDefinition" {
			continue
		}
		group, _ := field(object.Object, "spec", "group").(string)
		kind, _ := field(object.Object, "spec", "names", "kind").(string)
		scopes[schema.GroupKind{Group: group, Kind: kind}] = field(object.Object, "spec", "scope") == "Namespaced"
	}
	return scopes
}
