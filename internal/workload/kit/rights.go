package kit

import "sluice.dev/sluice/internal/workload"

// Rights are what is asked for about any kind, and what the kind asks for besides.
func (d driver) Rights() []workload.Right {
	group := d.family.Kind.Group
	all := []workload.Right{
		{
			Group: group, Resource: d.family.Plural, Verbs: []string{"get", "list", "watch", "create", "patch", "delete"},
			Why: "components bring them",
		},
		{Group: group, Resource: d.family.History, Verbs: []string{"list", "watch"}, Why: "they tell which pods are of which version"},
		{Resource: "pods", Verbs: []string{"list", "watch"}, Why: "batches are counted in them"},
		{Resource: "events", Verbs: []string{"list", "watch"}, Why: "they tell why a pod does not get ready"},
	}
	if d.family.Nodes {
		all = append(all, workload.Right{
			Resource: "nodes", Verbs: []string{"list", "watch"}, Cluster: true, Why: "batches go by node sets",
		})
	}
	return append(all, d.family.Rights...)
}
