package rights

// Events is what an agent that runs probes asks of its cluster, for those that run when something changes: it watches nodes, workloads with
// their revisions, and of pods those that a change is about.
func Events() []Need {
	all := []Need{
		{Resource: "nodes", Place: Outside, Why: "nodes that are new, were rebooted or have another condition"},
		{Resource: "pods", Place: Anywhere, Why: "nodes to which a revision has come, and parts of the control plane"},
		{Group: "apps", Resource: "controllerrevisions", Place: Anywhere, Why: "workloads that have another revision"},
		{Group: "apps", Resource: "daemonsets", Place: Anywhere, Why: "how far a revision is"},
		{Group: "apps", Resource: "deployments", Place: Anywhere, Why: "Deployments that have another revision, and how far it is"},
		{Group: "apps", Resource: "statefulsets", Place: Anywhere, Why: "how far a revision is"},
	}
	for i := range all {
		all[i].Verbs = []string{"list", "watch"}
	}
	return append(all, Need{
		Group: "apps", Resource: "replicasets", Verbs: []string{"list"}, Place: Anywhere, Why: "how pods of a Deployment's revision are known",
	})
}
