package rights

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/internal/kube"
)

// own is the namespace that Sluice itself has in a cluster.
const own = kube.LeaseNamespace

// Everywhere is what a worker asks of every cluster, whatever it brings there.
func Everywhere() []Need {
	return []Need{
		{
			Group: "coordination.k8s.io", Resource: "leases", Verbs: []string{"get", "list", "watch", "create", "update"},
			Place: In(own), Why: "a component has a Lease, under which one run at a time writes",
		},
		{
			Resource: "nodes", Verbs: []string{"get", "list", "watch"}, Place: Outside,
			Why: "what befell nodes before a unit failed may be why",
		},
	}
}

// ofAgents is what an agent asks of its cluster beside its tasks: it tells the server which cluster it is, and how large.
func ofAgents() []Need {
	return []Need{
		{
			Resource: "namespaces", Names: []string{metav1.NamespaceSystem}, Verbs: []string{"get"}, Place: Outside,
			Why: "its namespace " + metav1.NamespaceSystem + " tells a cluster from others",
		},
		{Resource: "nodes", Verbs: []string{"list"}, Place: Outside, Why: "an agent tells how many there are, and in which zones"},
		{Resource: "pods", Verbs: []string{"list"}, Place: Anywhere, Why: "an agent tells how many there are"},
	}
}
