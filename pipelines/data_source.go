package pipelines

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// DataSource is a server that checks ask, bound to cluster groups. Checks name queries; only a DataSource has an address, and it has
// no secret: it says where the worker finds that.
type DataSource struct {
	Metadata Metadata       `json:"metadata"`
	Spec     DataSourceSpec `json:"spec"`
	Position Position       `json:"-"`
}

// DataSourceSpec is the body of a DataSource.
type DataSourceSpec struct {
	Endpoint      `json:",inline"`
	ClusterGroups Selector `json:"clusterGroups"` // whose clusters it has the metrics of
	// it answers queries that name no DataSource where several have the same cluster group
	Default bool `json:"default,omitempty"`
}

// Endpoint is where a server is, and how it is asked.
type Endpoint struct {
	Type DataSourceType `json:"type,omitempty"` // default prometheus
	// such as https://prometheus.example:9090, with the path below which its API is
	Address     string        `json:"address" is:"text"`
	Tenant      string        `json:"tenant,omitempty" is:"headerValue"` // sent as X-Scope-OrgID
	BearerToken *WorkerSecret `json:"bearerToken,omitempty"`
	BasicAuth   *BasicAuth    `json:"basicAuth,omitempty"` // one of bearerToken and basicAuth
	// among the worker's secrets: PEM of who may have signed the server's certificate
	CAFile string `json:"caFile,omitempty" is:"secretFile"`
}

// BasicAuth is a user and a password.
type BasicAuth struct {
	User     string       `json:"user" is:"headerValue"`
	Password WorkerSecret `json:"password"`
}

// WorkerSecret says where a worker finds a secret: exactly one of the two. Only what was put there for Sluice can be named, so that
// nobody who can write a document has the rest of what a worker knows sent to an address of his own.
type WorkerSecret struct {
	Env  string `json:"env,omitempty" is:"secretEnv"`   // an environment variable; its name begins with SLUICE_SECRET_
	File string `json:"file,omitempty" is:"secretFile"` // a file below the worker's folder of secrets
}

// DataSourceType is what a server speaks.
type DataSourceType string

// Prometheus is every server that speaks Prometheus' HTTP API: Thanos, Mimir, VictoriaMetrics too.
const Prometheus DataSourceType = "prometheus"

func (DataSourceType) values() []string { return []string{string(Prometheus)} }

// BoundDataSource is a DataSource as a plan has it: resolved for some of its cluster groups.
type BoundDataSource struct {
	Name string `json:"name"`
	Endpoint
	ClusterGroups []string `json:"clusterGroups"` // sorted
}

// DataSourceOf returns what answers queries about a cluster group: the DataSource of a name, or, where the name is "", the one that
// has the group, of several the one that is their default. The error says why there is none.
func (d *Documents) DataSourceOf(group *ClusterGroup, name string) (*DataSource, error) {
	var found []string
	labels := group.EffectiveLabels()
	for _, n := range slices.Sorted(maps.Keys(d.DataSources)) {
		if d.DataSources[n].Spec.ClusterGroups.Matches(labels, group.Metadata.Name) {
			found = append(found, n)
		}
	}
	if name != "" {
		if slices.Contains(found, name) {
			return d.DataSources[name], nil
		}
		if d.DataSources[name] == nil {
			return nil, fmt.Errorf("there is no DataSource %s", name)
		}
		return nil, fmt.Errorf("DataSource %s does not have cluster group %s", name, group.Metadata.Name)
	}
	chosen := found
	if len(found) > 1 {
		chosen = slices.DeleteFunc(slices.Clone(found), func(n string) bool { return !d.DataSources[n].Spec.Default })
	}
	switch len(chosen) {
	case 1:
		return d.DataSources[chosen[0]], nil
	case 0:
		if len(found) > 1 {
			return nil, fmt.Errorf("cluster group %s has several DataSources (%s): the query must name one, or one of them be their default",
				group.Metadata.Name, strings.Join(found, ", "))
		}
		return nil, fmt.Errorf("no DataSource has cluster group %s", group.Metadata.Name)
	}
	return nil, fmt.Errorf("cluster group %s has several DataSources that are default: %s", group.Metadata.Name, strings.Join(chosen, ", "))
}
