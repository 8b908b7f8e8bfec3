// Package rule holds the typed facts that gates speak about and the CEL environment over them: it compiles a rule,
// type-checks it and evaluates it over facts that it is handed. It reads nothing, waits for nothing and knows no
// clock; what an outcome means is for the caller to decide.
package rule

import "slices"

// Facts are everything a gate may look at. Which parts are set depends on the scope: Workload and Unit for batch and
// cluster, Batch for batch, Stage for stage, Change always.
type Facts struct {
	Workload Workload `json:"workload"`
	Batch    Batch    `json:"batch"`
	Unit     Unit     `json:"unit"`
	Change   Change   `json:"change"`
	Stage    Stage    `json:"stage"`
}

// Workload is what was seen of a workload in its cluster, bound to one revision. Pods that are being deleted count
// nowhere.
type Workload struct {
	Kind             string   `json:"kind" cel:"kind"`
	Namespace        string   `json:"namespace" cel:"namespace"`
	Name             string   `json:"name" cel:"name"`
	Revision         string   `json:"revision" cel:"revision"`                 // the revision these facts are bound to
	Generation       int64    `json:"generation" cel:"generation"`             // of the object
	Observed         int64    `json:"observed" cel:"observed"`                 // the generation its controller has seen
	Desired          int64    `json:"desired" cel:"desired"`                   // pods the workload should have
	Ready            int64    `json:"ready" cel:"ready"`                       // pods that are ready, of any revision
	Available        int64    `json:"available" cel:"available"`               // ready for at least minReadySeconds
	Unavailable      int64    `json:"unavailable" cel:"unavailable"`           // desired - available, never below 0
	Updated          int64    `json:"updated" cel:"updated"`                   // pods of the revision
	UpdatedReady     int64    `json:"updatedReady" cel:"updatedReady"`         // of these, ready
	UpdatedAvailable int64    `json:"updatedAvailable" cel:"updatedAvailable"` // of these, available
	Restarts         int64    `json:"restarts" cel:"restarts"`                 // container restarts in pods of the revision
	OldRestarts      int64    `json:"oldRestarts" cel:"oldRestarts"`           // container restarts in all other pods
	Waiting          []string `json:"waiting" cel:"waiting"`                   // reasons why containers of updated pods wait; sorted, distinct
	Events           []Event  `json:"events" cel:"events"`                     // warnings about pods of the revision; at most 20
	// dead nodes that have a pod of it; sorted, distinct, at most 100
	Behind []string `json:"behind,omitempty" cel:"behind"`
}

// Plus adds up what can be added up over two workloads. Their names, revisions and generations stay those of w.
func (w Workload) Plus(o Workload) Workload {
	w.Desired += o.Desired
	w.Ready += o.Ready
	w.Available += o.Available
	w.Unavailable += o.Unavailable
	w.Updated += o.Updated
	w.UpdatedReady += o.UpdatedReady
	w.UpdatedAvailable += o.UpdatedAvailable
	w.Restarts += o.Restarts
	w.OldRestarts += o.OldRestarts
	w.Waiting = slices.Compact(slices.Sorted(slices.Values(slices.Concat(w.Waiting, o.Waiting))))
	w.Behind = slices.Compact(slices.Sorted(slices.Values(slices.Concat(w.Behind, o.Behind))))
	w.Events = slices.Concat(w.Events, o.Events)
	return w
}

// Event is a Kubernetes event about the workload or one of its pods. It is evidence: events get lost.
type Event struct {
	Type    string `json:"type" cel:"type"`
	Reason  string `json:"reason" cel:"reason"`
	Object  string `json:"object" cel:"object"`
	Message string `json:"message" cel:"message"`
	Count   int64  `json:"count" cel:"count"`
}

// Batch is the batch a gate is about. Target is cumulative within its node set, and counts pods of the node set only.
type Batch struct {
	Number       int64  `json:"number" cel:"number"` // from 1, within the node set
	NodeSet      string `json:"nodeSet" cel:"nodeSet"`
	Size         int64  `json:"size" cel:"size"`                 // pods this batch moves
	Target       int64  `json:"target" cel:"target"`             // pods of the node set that are updated when it is done
	Total        int64  `json:"total" cel:"total"`               // pods of the node set
	Updated      int64  `json:"updated" cel:"updated"`           // pods of the node set at the revision
	UpdatedReady int64  `json:"updatedReady" cel:"updatedReady"` // of these, ready
	// nodes that died since the unit began, by which the batch falls short of its target
	Lost int64 `json:"lost" cel:"lost"`
	// names of the pods of the node set at the revision, and of the nodes that have one; sorted, distinct, at most 100 each
	Pods  []string `json:"pods,omitempty" cel:"pods"`
	Nodes []string `json:"nodes,omitempty" cel:"nodes"`
}

// Unit is where in the fleet the gate looks.
type Unit struct {
	Path          string            `json:"path" cel:"path"` // group/cluster, or group/cluster/node set/batch
	Stage         string            `json:"stage" cel:"stage"`
	Group         string            `json:"group" cel:"group"`
	Cluster       string            `json:"cluster" cel:"cluster"`
	Environment   string            `json:"environment" cel:"environment"`
	BusinessSide  string            `json:"businessSide" cel:"businessSide"`
	NetworkDomain string            `json:"networkDomain" cel:"networkDomain"`
	Region        string            `json:"region" cel:"region"`
	Labels        map[string]string `json:"labels" cel:"labels"`
}

// Change is what is being rolled out.
type Change struct {
	Component string `json:"component" cel:"component"`
	Version   string `json:"version" cel:"version"`
	Previous  string `json:"previous" cel:"previous"` // version that ran before; "" where none was recorded
	Pipeline  string `json:"pipeline" cel:"pipeline"`
	Plan      string `json:"plan" cel:"plan"` // hash
	Run       string `json:"run" cel:"run"`
	By        string `json:"by,omitempty" cel:"by"` // who started the run
}

// Stage counts the units (clusters) of a stage or group by how they ended.
type Stage struct {
	Name        string `json:"name" cel:"name"`
	Units       int64  `json:"units" cel:"units"`
	Succeeded   int64  `json:"succeeded" cel:"succeeded"`
	Failed      int64  `json:"failed" cel:"failed"`
	Unreachable int64  `json:"unreachable" cel:"unreachable"`
	Waiting     int64  `json:"waiting" cel:"waiting"`
}
