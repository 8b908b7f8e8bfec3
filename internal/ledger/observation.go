package ledger

import (
	"context"
	"time"

	"sluice.dev/sluice/internal/api"
)

// Observation is the last thing seen of a component in a cluster.
type Observation struct {
	Cluster     string      `json:"cluster"`
	Subject     api.Subject `json:"component"`
	Run         string      `json:"run,omitempty"`
	Version     string      `json:"version"` // the version that pods are moved to or rest at
	NodeSet     string      `json:"nodeSet,omitempty"`
	Batch       int         `json:"batch,omitempty"`
	Updated     int         `json:"updated"`
	Desired     int         `json:"desired"`
	Armed       bool        `json:"armed"`            // a recreated pod would get the version that is being rolled out
	Behind      string      `json:"behind,omitempty"` // names of the dead nodes that have pods, apart by commas
	Unreachable bool        `json:"unreachable,omitempty"`
	Seen        time.Time   `json:"seen"` // of the last look that reached the cluster
}

// Observations keeps the last observation of each (cluster, component).
type Observations interface {
	// SaveObservation replaces the last one. With Unreachable set only that flag is changed: what was seen stays.
	SaveObservation(ctx context.Context, o Observation) error
	// ListObservations returns them sorted by cluster; component "" means all.
	ListObservations(ctx context.Context, subject api.Subject) ([]Observation, error)
}

// Check is Invalid where an observation lacks what names it.
func (o Observation) Check() error {
	return required("observation", "cluster", o.Cluster, "component", o.Subject.String())
}
