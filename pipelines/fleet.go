package pipelines

import (
	"maps"
	"slices"
	"strconv"
)

// ClusterGroup is a set of clusters with a common business side, network domain and environment.
type ClusterGroup struct {
	Metadata Metadata         `json:"metadata"`
	Spec     ClusterGroupSpec `json:"spec"`
	Position Position         `json:"-"`
}

// ClusterGroupSpec is the body of a ClusterGroup.
type ClusterGroupSpec struct {
	Environment   string   `json:"environment" is:"name"`
	BusinessSide  string   `json:"businessSide,omitempty" is:"name"`
	NetworkDomain string   `json:"networkDomain,omitempty" is:"name"`
	After         []string `json:"after,omitempty" is:"name" items:"1..1000"` // groups of the same stage that go first
}

// Cluster is one Kubernetes cluster.
type Cluster struct {
	Metadata Metadata    `json:"metadata"`
	Spec     ClusterSpec `json:"spec"`
	Position Position    `json:"-"`
}

// ClusterSpec is the body of a Cluster.
type ClusterSpec struct {
	Group     string   `json:"group" is:"name"`
	Context   string   `json:"context,omitempty" is:"text"`               // in the worker's kubeconfig; default the cluster's name
	Region    string   `json:"region,omitempty" is:"name"`                // where it is
	Site      string   `json:"site,omitempty" is:"name"`                  // task queue of the worker near it; default the central one
	Role      Role     `json:"role,omitempty"`                            // Centre or Unit; default Unit
	UserGrade int      `json:"userGrade,omitempty" range:"0..10"`         // 0 (nobody would notice) to 10 (the users who must never)
	Size      Size     `json:"size,omitempty"`                            // how big it is said to be
	After     []string `json:"after,omitempty" is:"name" items:"1..1000"` // clusters of the same stage that go first
}

// Role says whether a cluster serves one unit or is the centre that units depend on.
type Role string

// The roles.
const (
	Centre   Role = "Centre"
	UnitRole Role = "Unit"
)

func (Role) values() []string {
	return []string{string(Centre), string(UnitRole)}
}

// Size is how big a cluster is said to be.
type Size struct {
	Nodes int `json:"nodes,omitempty" range:"0..1000000"`
	Pods  int `json:"pods,omitempty" range:"0..100000000"`
}

// Fleet says what holds for all clusters: the order of environments and what risk weighs.
type Fleet struct {
	Metadata Metadata  `json:"metadata"`
	Spec     FleetSpec `json:"spec"`
	Position Position  `json:"-"`
}

// FleetSpec is the body of a Fleet.
type FleetSpec struct {
	Environments []string `json:"environments,omitempty" is:"name" items:"1..50"` // least risky first; default e2e to production
	Risk         RiskSpec `json:"risk,omitempty"`
	// Labels of clusters that say what they have in common when it breaks. Clusters with the same value of one share a failure domain.
	FailureDomains []string `json:"failureDomains,omitempty" is:"labelKey" items:"1..10"`
}

// RiskSpec weighs the parts of a unit's risk score. Each part is a number from 0 to 1; the score is their weighted sum.
type RiskSpec struct {
	// environment, businessSide, networkDomain, userGrade, size, role, component, zones, version
	Weights        map[string]float64 `json:"weights,omitempty" keys:"riskPart" range:"0..1000"`
	BusinessSides  map[string]float64 `json:"businessSides,omitempty" keys:"name" range:"0..1"`  // 0..1; default 0.5
	NetworkDomains map[string]float64 `json:"networkDomains,omitempty" keys:"name" range:"0..1"` // 0..1; default 0.5
}

// The parts of a risk score.
const (
	RiskEnvironment   = "environment"
	RiskBusinessSide  = "businessSide"
	RiskNetworkDomain = "networkDomain"
	RiskUserGrade     = "userGrade"
	RiskSize          = "size"
	RiskRole          = "role"
	RiskComponent     = "component"
	RiskZones         = "zones"   // how few its nodes are in
	RiskVersion       = "version" // how far its Kubernetes is from that of most clusters
)

// RiskParts lists the parts of a risk score.
func RiskParts() []string {
	return []string{
		RiskEnvironment, RiskBusinessSide, RiskNetworkDomain, RiskUserGrade, RiskSize, RiskRole, RiskComponent, RiskZones, RiskVersion,
	}
}

// DefaultFleet is the fleet that holds where no file declares one: the usual environments, and weights that add up to
// one, of which the environment has the most.
func DefaultFleet() *Fleet {
	return &Fleet{
		Metadata: Metadata{Name: "fleet"},
		Spec: FleetSpec{
			Environments: []string{"e2e", "test", "staging", "canary", "small-traffic", "production"},
			Risk: RiskSpec{Weights: map[string]float64{
				RiskEnvironment:   0.30,
				RiskComponent:     0.20,
				RiskUserGrade:     0.15,
				RiskSize:          0.15,
				RiskRole:          0.10,
				RiskBusinessSide:  0.05,
				RiskNetworkDomain: 0.05,
				RiskZones:         0, // what agents say of clusters weighs only where a fleet says so
				RiskVersion:       0,
			}},
		},
	}
}

// EnvironmentIndex is the place of an environment in the fleet's order, from 0, or -1 where the fleet has none of
// that name.
func (f *Fleet) EnvironmentIndex(name string) int {
	return slices.Index(f.Spec.Environments, name)
}

// DomainsOf are the failure domains of a cluster with some labels, each as key=value.
func (f *Fleet) DomainsOf(labels map[string]string) (all []string) {
	for _, key := range f.Spec.FailureDomains {
		if value := labels[key]; value != "" {
			all = append(all, key+"="+value)
		}
	}
	return all
}

// The labels that Sluice itself gives to clusters and cluster groups. No document may set them.
const (
	LabelName          = "name"
	LabelGroup         = "group"
	LabelEnvironment   = "environment"
	LabelBusinessSide  = "businessSide"
	LabelNetworkDomain = "networkDomain"
	LabelRegion        = "region"
	LabelSite          = "site"
	LabelRole          = "role"
	LabelUserGrade     = "userGrade"
)

func reservedLabels() []string {
	return []string{
		LabelName, LabelGroup, LabelEnvironment, LabelBusinessSide, LabelNetworkDomain, LabelRegion, LabelSite,
		LabelRole, LabelUserGrade,
	}
}

// EffectiveLabels are the group's own labels and those made of its spec. A part of the spec that is not said has no
// label. The map is the caller's.
func (g *ClusterGroup) EffectiveLabels() map[string]string {
	labels := make(map[string]string, len(g.Metadata.Labels)+5)
	g.addLabels(labels)
	return labels
}

func (g *ClusterGroup) addLabels(labels map[string]string) {
	maps.Copy(labels, g.Metadata.Labels)
	set(labels, LabelName, g.Metadata.Name)
	set(labels, LabelGroup, g.Metadata.Name)
	set(labels, LabelEnvironment, g.Spec.Environment)
	set(labels, LabelBusinessSide, g.Spec.BusinessSide)
	set(labels, LabelNetworkDomain, g.Spec.NetworkDomain)
}

// EffectiveLabels are the labels of the cluster's group, over these its own, over these those made of its spec. The
// group may be nil. The map is the caller's.
func (c *Cluster) EffectiveLabels(group *ClusterGroup) map[string]string {
	if group == nil {
		group = &ClusterGroup{}
	}
	labels := make(map[string]string, len(group.Metadata.Labels)+len(c.Metadata.Labels)+len(reservedLabels()))
	group.addLabels(labels)
	maps.Copy(labels, c.Metadata.Labels)
	set(labels, LabelName, c.Metadata.Name)
	set(labels, LabelGroup, c.Spec.Group)
	set(labels, LabelRegion, c.Spec.Region)
	set(labels, LabelSite, c.Spec.Site)
	set(labels, LabelRole, string(c.role()))
	set(labels, LabelUserGrade, strconv.Itoa(c.Spec.UserGrade))
	return labels
}

func (c *Cluster) role() Role {
	if c.Spec.Role == "" {
		return UnitRole
	}
	return c.Spec.Role
}

func set(labels map[string]string, key, value string) {
	if value != "" {
		labels[key] = value
	}
}
