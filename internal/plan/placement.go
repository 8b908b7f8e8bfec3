package plan

import (
	"cmp"
	"maps"
	"slices"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
)

// placement is a cluster with its group and the labels it is selected by.
type placement struct {
	pipelines.Place
	cluster *pipelines.Cluster
	group   *pipelines.ClusterGroup
	labels  map[string]string
	domains []string // besides itself, in the order of the fleet
}

// fleet is the clusters of a set of documents, each resolved once.
type fleet struct {
	places  map[string]*placement
	groups  []*pipelines.ClusterGroup // sorted by name
	members map[string][]*placement   // by cluster group, sorted by name
}

func newFleet(docs *pipelines.Documents) (*fleet, error) {
	f := &fleet{places: make(map[string]*placement, len(docs.Clusters)), members: map[string][]*placement{}}
	for _, name := range sortedKeys(docs.ClusterGroups) {
		f.groups = append(f.groups, docs.ClusterGroups[name])
	}
	for _, name := range sortedKeys(docs.Clusters) {
		cluster := docs.Clusters[name]
		group := docs.ClusterGroups[cluster.Spec.Group]
		if group == nil {
			return nil, fault.New(fault.Invalid, "cannot place cluster %s: no document declares its cluster group %q", name, cluster.Spec.Group)
		}
		p := &placement{
			Place:   cluster.Place(group),
			cluster: cluster,
			group:   group,
			labels:  cluster.EffectiveLabels(group),
		}
		p.domains = docs.Fleet.DomainsOf(p.labels)
		f.places[name] = p
		f.members[p.Group] = append(f.members[p.Group], p)
	}
	return f, nil
}

// KindProbes is the kind of source that clusters have a part of by their labels.
const KindProbes = "probes"

// rendered is the place of the cluster with all that a source of a kind is rendered by.
func (p *placement) rendered(kind string) pipelines.Place {
	at := p.Place
	if kind == KindProbes {
		at.Labels = p.labels
	}
	return at
}

// value returns what a cluster has for a groupBy, or NoValue. Region, group and the like are labels too.
func (p *placement) value(groupBy string) string {
	value := p.labels[groupBy]
	if value == "" {
		return NoValue
	}
	return value
}

// context returns the name under which the worker's kubeconfig knows the cluster.
func (p *placement) context() string { return cmp.Or(p.cluster.Spec.Context, p.Cluster) }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
