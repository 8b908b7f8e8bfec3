package plan

// Place is where a plan changes or asks something: a cluster, and where that stands.
type Place struct {
	Cluster     string
	Context     string
	Site        string
	Group       string
	Environment string
	Labels      map[string]string
}

// Place is where a unit is.
func (u *Unit) Place() Place {
	return Place{u.Cluster, u.Context, u.Site, u.Group, u.Environment, u.Labels}
}

// Places are the clusters of all units, in the order of the plan, and those that its tasks name besides.
func (p *Plan) Places() []Place {
	var all []Place
	for _, u := range p.AllUnits() {
		all = append(all, u.Place())
	}
	if p.Tasks == nil {
		return all
	}
	for _, t := range p.Tasks.Places {
		all = append(all, Place{t.Cluster, t.Context, t.Site, t.Unit.Group, t.Unit.Environment, t.Unit.Labels})
	}
	return all
}
