package workload

// Right is something that a driver asks of an API server, and why.
type Right struct {
	Group    string
	Resource string   // its plural name, with its subresource where it is about that: pods/eviction
	Verbs    []string // as RBAC has them
	Cluster  bool     // it lives in no namespace; else it is asked for in that of the workload
	Why      string
}
