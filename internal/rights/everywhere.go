package rights

import "sluice.dev/sluice/internal/kube"

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
