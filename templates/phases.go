package templates

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/templates/podkind"
)

// PhaseName names a part of a change.
type PhaseName string

// The phases, in their order.
const (
	Before    PhaseName = "before-workloads"
	Workloads PhaseName = "workloads"
	After     PhaseName = "after-workloads" // what sends the API server to the workloads: only once they answer
)

// Phase is the objects that are written one after another, in this order.
type Phase struct {
	Name    PhaseName
	Objects []*unstructured.Unstructured
}

// ranks is the order in which kinds are written: what is referred to goes before what refers to it. Kinds that are not
// named here come between the services and the workloads.
var ranks = map[schema.GroupKind]int{
	{Kind: "Namespace"}: 1,
	{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}: 2,
	{Kind: "ServiceAccount"}:                                                          3,
	{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole"}:                         4,
	{Group: "rbac.authorization.k8s.io", Kind: "Role"}:                                5,
	{Group: "rbac.authorization.k8s.io", Kind: "ClusterRoleBinding"}:                  6,
	{Group: "rbac.authorization.k8s.io", Kind: "RoleBinding"}:                         7,
	{Group: "scheduling.k8s.io", Kind: "PriorityClass"}:                               8,
	{Group: "node.k8s.io", Kind: "RuntimeClass"}:                                      8,
	{Group: "storage.k8s.io", Kind: "StorageClass"}:                                   8,
	{Group: "storage.k8s.io", Kind: "CSIDriver"}:                                      8,
	{Group: "networking.k8s.io", Kind: "IngressClass"}:                                8,
	{Kind: "ResourceQuota"}:                                                           9,
	{Kind: "LimitRange"}:                                                              9,
	{Group: "networking.k8s.io", Kind: "NetworkPolicy"}:                               9,
	{Kind: "ConfigMap"}:                                                               10,
	{Kind: "Secret"}:                                                                  10,
	{Kind: "PersistentVolume"}:                                                        11,
	{Kind: "PersistentVolumeClaim"}:                                                   12,
	{Kind: "Service"}:                                                                 13,
	{Group: "apiregistration.k8s.io", Kind: "APIService"}:                             30,
	{Group: "admissionregistration.k8s.io", Kind: "ValidatingAdmissionPolicy"}:        31,
	{Group: "admissionregistration.k8s.io", Kind: "ValidatingAdmissionPolicyBinding"}: 32,
	{Group: "admissionregistration.k8s.io", Kind: "MutatingAdmissionPolicy"}:          31,
	{Group: "admissionregistration.k8s.io", Kind: "MutatingAdmissionPolicyBinding"}:   32,
	{Group: "admissionregistration.k8s.io", Kind: "MutatingWebhookConfiguration"}:     33,
	{Group: "admissionregistration.k8s.io", Kind: "ValidatingWebhookConfiguration"}:   34,
}

const (
	rankOther    = 20
	rankJob      = 22 // pods that come and go by themselves: there is nothing to move batch by batch
	rankWorkload = 25
	rankAfter    = 30
)

// Phases sorts objects into the three phases, always all three. Objects of one rank keep their order; workloads go as
// workloadOrder (Kind/name) says, then the rest.
func Phases(objects []*unstructured.Unstructured, workloadOrder []string) []Phase {
	sorted := slices.Clone(objects)
	slices.SortStableFunc(sorted, func(a, b *unstructured.Unstructured) int {
		if ra, rb := rank(a), rank(b); ra != rb {
			return ra - rb
		}
		if rank(a) != rankWorkload {
			return 0
		}
		return place(a, workloadOrder) - place(b, workloadOrder)
	})
	phases := []Phase{{Name: Before}, {Name: Workloads}, {Name: After}}
	for _, object := range sorted {
		i := 0
		switch r := rank(object); {
		case r >= rankAfter:
			i = 2
		case r == rankWorkload:
			i = 1
		}
		phases[i].Objects = append(phases[i].Objects, object)
	}
	return phases
}

func rank(object *unstructured.Unstructured) int {
	switch kind := object.GroupVersionKind().GroupKind(); {
	case podkind.WayOf(kind) == podkind.Ends:
		return rankJob
	case podkind.Is(object):
		return rankWorkload
	}
	if r, known := ranks[object.GroupVersionKind().GroupKind()]; known {
		return r
	}
	return rankOther
}

func place(workload *unstructured.Unstructured, order []string) int {
	if i := slices.Index(order, workload.GetKind()+"/"+workload.GetName()); i >= 0 {
		return i
	}
	return len(order)
}
