// Package goal holds the shapes that say how far a batch is to move a workload, and in which state it was left. It is apart from the
// drivers so that workflows can carry these shapes without importing a Kubernetes client.
package goal

import (
	"fmt"
	"strings"
	"time"

	"sluice.dev/sluice/pipelines"
)

// State is what a driver found or left.
type State struct {
	UID             string `json:"uid"`
	ResourceVersion string `json:"resourceVersion"`
	Generation      int64  `json:"generation"`
	// Revision is the target's, as pods carry it. It is "" while the controller has not made it known, which may be with
	// the first pod that moves (a Deployment whose new ReplicaSet is not there yet); facts carry it from then on.
	Revision string `json:"revision"`
	Previous string `json:"previous"` // of the way back, as pods carry it; "" where there is none
	Template string `json:"template"` // digest of the target's pod template as the API server stored it
	Armed    bool   `json:"armed"`    // a recreated pod may get the target's template
	Created  bool   `json:"created"`  // the workload was not there before
}

// Goal is how far a batch goes. Sets are the node sets in order, Set is the index of the one that moves; sets before it
// are done. A workload that is not bound to nodes ignores node sets: its only set counts replicas.
type Goal struct {
	Sets           []pipelines.NodeSet `json:"sets"`
	Set            int                 `json:"set"`
	Number         int                 `json:"number"` // of the batch within the set, from 1
	Amount         pipelines.Amount    `json:"amount"` // cumulative within the set; 100% means every pod there is at that time
	MaxUnavailable pipelines.Amount    `json:"maxUnavailable"`
}

// Size is how many pods a node set has, and which of its nodes are dead.
type Size struct {
	Pods   int    `json:"pods"` // on nodes that are alive
	Behind []Node `json:"behind,omitempty"`
}

// Node is a node that is dead: its condition Ready is not True, or it is tainted as not ready or unreachable.
type Node struct {
	Name  string    `json:"name"`
	Why   string    `json:"why"`
	Since time.Time `json:"since,omitzero"` // as the cluster says; zero where it does not
}

// MostNamed is how many nodes a Behind names.
const MostNamed = 20

// Behind is the dead nodes of one node set of a workload.
type Behind struct {
	Workload string `json:"workload"` // Kind/namespace/name
	NodeSet  string `json:"nodeSet"`
	Count    int    `json:"count"`
	Total    int    `json:"total"` // nodes of the set, the dead ones among them
	Nodes    []Node `json:"nodes"` // sorted by name, at most MostNamed
}

// BehindOf is what stays behind of the sizes of a workload's node sets; nothing of sets without a dead node.
func BehindOf(workload string, sets []pipelines.NodeSet, sizes []Size) []Behind {
	var all []Behind
	for i, size := range sizes {
		if n := len(size.Behind); n > 0 {
			all = append(all, Behind{
				Workload: workload, NodeSet: sets[i].Name, Count: n, Total: size.Pods + n,
				Nodes: size.Behind[:min(n, MostNamed)],
			})
		}
	}
	return all
}

// Names names at most so many of the nodes, the rest counted.
func (b Behind) Names(most int) string {
	names := make([]string, 0, len(b.Nodes))
	for _, n := range b.Nodes[:min(most, len(b.Nodes))] {
		names = append(names, n.Name)
	}
	text := strings.Join(names, ", ")
	if more := b.Count - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
