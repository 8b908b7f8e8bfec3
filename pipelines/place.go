package pipelines

// Place is where a cluster stands in the fleet: what its layers of configuration and its images depend on.
type Place struct {
	Cluster       string `json:"cluster"`
	Group         string `json:"group"`
	Environment   string `json:"environment"`
	BusinessSide  string `json:"businessSide,omitempty"`
	NetworkDomain string `json:"networkDomain,omitempty"`
	Region        string `json:"region,omitempty"`
	// those by which the cluster is selected; only where what is rendered goes by them
	Labels map[string]string `json:"labels,omitempty"`
}

// Place returns the place of a cluster, given its group.
func (c *Cluster) Place(of *ClusterGroup) Place {
	return Place{
		Cluster:       c.Metadata.Name,
		Group:         of.Metadata.Name,
		Environment:   of.Spec.Environment,
		BusinessSide:  of.Spec.BusinessSide,
		NetworkDomain: of.Spec.NetworkDomain,
		Region:        c.Spec.Region,
	}
}
