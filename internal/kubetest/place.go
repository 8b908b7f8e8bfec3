package kubetest

import (
	"encoding/json"
	"net/http"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var verbs = map[string]string{http.MethodPost: "create", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete"}

// served are the resources that the server has.
var served = []struct {
	group, version, resource, kind string
	namespaced                     bool
}{
	{"", "v1", "pods", "Pod", true},
	{"", "v1", "configmaps", "ConfigMap", true},
	{"", "v1", "secrets", "Secret", true},
	{"", "v1", "services", "Service", true},
	{"", "v1", "serviceaccounts", "ServiceAccount", true},
	{"", "v1", "events", "Event", true},
	{"", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", true},
	{"", "v1", "nodes", "Node", false},
	{"", "v1", "namespaces", "Namespace", false},
	{"apps", "v1", "deployments", "Deployment", true},
	{"apps", "v1", "daemonsets", "DaemonSet", true},
	{"apps", "v1", "statefulsets", "StatefulSet", true},
	{"apps", "v1", "replicasets", "ReplicaSet", true},
	{"apps", "v1", "controllerrevisions", "ControllerRevision", true},
	{"policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", true},
	{"coordination.k8s.io", "v1", "leases", "Lease", true},
	{"rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", false},
	{"apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", false},
	{"admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", false},
	{"admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", false},
	{"apiregistration.k8s.io", "v1", "apiservices", "APIService", false},
	{"sluice.dev", "v1alpha1", "probeconfigs", "ProbeConfig", true},
	{"sluice.dev", "v1alpha1", "proberuns", "ProbeRun", true},
	{"sluice.dev", "v1alpha1", "healthsignals", "HealthSignal", false},
}

// place is what a path speaks of.
type place struct{ group, version, namespace, resource, name, sub string }

func parse(path string) (place, bool) {
	var at place
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case len(parts) >= 3 && parts[0] == "api":
		at.version, parts = parts[1], parts[2:]
	case len(parts) >= 4 && parts[0] == "apis":
		at.group, at.version, parts = parts[1], parts[2], parts[3:]
	default:
		return at, false
	}
	if parts[0] == "namespaces" && len(parts) >= 3 {
		at.namespace, parts = parts[1], parts[2:]
	}
	parts = append(parts, "", "")
	at.resource, at.name, at.sub = parts[0], parts[1], parts[2]
	return at, at.kind().Kind != ""
}

func (p place) kind() schema.GroupVersionKind {
	for _, known := range served {
		if known.group == p.group && known.version == p.version && known.resource == p.resource {
			return schema.GroupVersionKind{Group: p.group, Version: p.version, Kind: known.kind}
		}
	}
	return schema.GroupVersionKind{}
}

func (p place) path() string {
	return strings.Join([]string{p.group, p.version, p.resource, p.namespace, p.name}, "/")
}

// holds reports whether a list or a watch of the place has the object of a path.
func (p place) holds(path string) bool {
	parts := strings.Split(path, "/")
	return parts[0] == p.group && parts[2] == p.resource && (p.namespace == "" || parts[3] == p.namespace)
}

func (p place) what() string { return p.resource + " \"" + p.name + "\"" }

func namespacePath(name string) string {
	return place{version: "v1", resource: "namespaces", name: name}.path()
}

func (s *Server) pathOf(o *unstructured.Unstructured) string {
	gvk := o.GroupVersionKind()
	for _, known := range served {
		if known.group == gvk.Group && known.kind == gvk.Kind {
			return place{group: gvk.Group, version: gvk.Version, resource: known.resource, namespace: o.GetNamespace(), name: o.GetName()}.path()
		}
	}
	s.t.Fatalf("the server has no kind %s", gvk)
	return ""
}

// discover answers what the server serves.
func discover(w http.ResponseWriter, r *http.Request) bool {
	switch path := strings.Trim(r.URL.Path, "/"); {
	case path == "version":
		answer(w, map[string]any{"major": "1", "minor": "36", "gitVersion": "v1.36.0"})
	case path == "readyz":
		answer(w, "ok")
	case path == "api":
		answer(w, map[string]any{"kind": "APIVersions", "apiVersion": "v1", "versions": []string{"v1"}})
	case path == "apis":
		list := metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}}
		seen := map[string]bool{"": true}
		for _, known := range served {
			if seen[known.group] {
				continue
			}
			seen[known.group] = true
			version := metav1.GroupVersionForDiscovery{GroupVersion: known.group + "/" + known.version, Version: known.version}
			list.Groups = append(list.Groups, metav1.APIGroup{
				Name: known.group, Versions: []metav1.GroupVersionForDiscovery{version}, PreferredVersion: version,
			})
		}
		answer(w, list)
	case path == "api/v1", strings.Count(path, "/") == 2 && strings.HasPrefix(path, "apis/"):
		gv, _ := schema.ParseGroupVersion(strings.TrimPrefix(strings.TrimPrefix(path, "apis/"), "api/"))
		list := metav1.APIResourceList{TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: gv.String()}
		for _, known := range served {
			if known.group == gv.Group {
				list.APIResources = append(list.APIResources, metav1.APIResource{Name: known.resource, Kind: known.kind, Namespaced: known.namespaced})
			}
		}
		answer(w, list)
	default:
		return false
	}
	return true
}

func answer(w http.ResponseWriter, v any) {
	if u, ok := v.(*unstructured.Unstructured); ok {
		v = u.Object
	}
	if l, ok := v.(*unstructured.UnstructuredList); ok {
		v = l.UnstructuredContent()
	}
	_ = json.NewEncoder(w).Encode(v) // a client that went away hears nothing
}

func refuse(w http.ResponseWriter, code int, message string) {
	reasons := map[int]metav1.StatusReason{
		http.StatusNotFound: metav1.StatusReasonNotFound, http.StatusConflict: metav1.StatusReasonConflict,
		http.StatusUnprocessableEntity: metav1.StatusReasonInvalid, http.StatusTooManyRequests: metav1.StatusReasonTooManyRequests,
	}
	reason := reasons[code]
	if code == http.StatusConflict && strings.HasSuffix(message, " already exists") {
		reason = metav1.StatusReasonAlreadyExists
	}
	w.WriteHeader(code)
	answer(w, metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure, Code: int32(code), Message: message, Reason: reason,
	})
}
