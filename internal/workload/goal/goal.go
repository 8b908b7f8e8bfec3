// Package goal holds the shapes that describe how far a workload moves and where it was found. It is apart from the
// drivers so that workflows can carry these shapes without importing a Kubernetes client.
package goal

import (
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
