package step

import (
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
)

// The activities near a cluster.
var (
	// Diff renders and compares. It changes nothing.
	Diff = short[DiffRequest, DiffResult]("cluster.Diff")
	// Preview is Diff, stored: the blob digest of a plan.ClusterDiff. That a cluster is out of reach is a result.
	Preview = short[DiffRequest, string]("cluster.Preview")
	// Acquire takes the Lease, and returns the Ref with its fence.
	Acquire = short[Ref, Ref]("cluster.Acquire")
	// Apply writes what is not a workload.
	Apply = short[ApplyRequest, ApplyResult]("cluster.Apply")
	// Unapply takes back what Apply wrote.
	Unapply = short[ApplyRequest, ApplyResult]("cluster.Unapply")
	// Prune takes away what earlier versions left behind, or lists it.
	Prune = short[PruneRequest, PruneResult]("cluster.Prune")
	// Reconcile makes Lease and ledger agree, as a person said.
	Reconcile = short[ReconcileRequest, api.Reconciled]("cluster.Reconcile")
	// Release frees the Lease and records what runs.
	Release = short[ReleaseRequest, Note]("cluster.Release")
	// Tidy takes away the pods that checks and tasks of a run have left running. A cluster that cannot be asked keeps its own.
	Tidy = lasting[TidyRequest, Note]("cluster.Tidy")
	// SeeNodes keeps what happened to the cluster's nodes before a unit failed there: the blob digest of an api.NodesSeen, or "".
	SeeNodes = short[NodesRequest, string]("cluster.SeeNodes")
	// Reachable returns once the API server answers.
	Reachable = patient[Ref, Note]("cluster.Reachable")
)

// Ref addresses one cluster of a run, and carries the fence under which it may be written.
type Ref struct {
	Run     string      `json:"run"`
	Plan    string      `json:"plan"`
	Subject api.Subject `json:"component"`
	Cluster string      `json:"cluster"`
	Context string      `json:"context"`
	Fence   int64       `json:"fence,omitempty"`
	Back    bool        `json:"back,omitempty"`   // the unit goes to the plan's way back
	BackOf  string      `json:"backOf,omitempty"` // with Back: the run whose creations are taken back
}

// Of is the cluster that a request is about, whatever else it says.
func (r Ref) Of() Ref { return r }

// DiffRequest asks what would change in a cluster.
type DiffRequest struct {
	Ref
}

// DiffResult is what would change. Changes is the blob digest of the whole change set, which Apply and the workload
// activities read.
type DiffResult struct {
	Cluster plan.ClusterDiff `json:"cluster"` // without Objects where it travels through a workflow
	Changes string           `json:"changes"`
	Stored  string           `json:"stored"`         // blob digest of plan.ClusterDiff, whole
	Left    []string         `json:"left,omitempty"` // digest-named objects that earlier versions left behind
	Before  bool             `json:"before"`         // something is written before the workloads
	After   bool             `json:"after"`          // something is written after them
}

// Writes reports whether a phase has anything to write.
func (d DiffResult) Writes(after bool) bool {
	if after {
		return d.After
	}
	return d.Before
}

// ApplyRequest asks for the writes of one phase.
type ApplyRequest struct {
	Ref
	Changes string `json:"changes"`
	After   bool   `json:"after,omitempty"` // what comes after the workloads; else what comes before them
}

// ApplyResult lists what was written, as Kind/namespace/name.
type ApplyResult struct {
	Created []string `json:"created,omitempty"`
	Patched []string `json:"patched,omitempty"`
	Deleted []string `json:"deleted,omitempty"`
	Kept    []string `json:"kept,omitempty"`
}

// PruneRequest asks which of some digest-named objects, Kind/namespace/name, nothing needs any more, and to take them away.
type PruneRequest struct {
	Ref
	Objects []string `json:"objects"`
	Delete  bool     `json:"delete,omitempty"`
}

// PruneResult lists what nothing needs any more: what was taken away, or is still there.
type PruneResult struct {
	Pruned   []string `json:"pruned,omitempty"`
	Unneeded []string `json:"unneeded,omitempty"`
}

// ReleaseRequest frees a Lease and records what runs now.
type ReleaseRequest struct {
	Ref
	Outcome api.Phase `json:"outcome"`
	Changes string    `json:"changes,omitempty"`
}

// NodesRequest is about the nodes of a cluster in which a unit failed.
type NodesRequest struct {
	Ref
	Failed time.Time            `json:"failed"`
	Had    map[string]time.Time `json:"had,omitempty"`    // its nodes, and when each was last known to be there
	Record string               `json:"record,omitempty"` // instead: blob digest of the UnitRecord of one that has ended
}

// TidyRequest names the clusters in which checks and tasks of a run may have left pods, with their contexts.
type TidyRequest struct {
	Run      string  `json:"run"`
	Plan     string  `json:"plan"`
	Clusters []Place `json:"clusters"`
}

// Place is a cluster and how it is reached.
type Place struct {
	Cluster string `json:"cluster"`
	Context string `json:"context"`
}

// ReconcileRequest says which of a Lease and the ledger to trust. Of Ref it needs Subject, Cluster and Context.
type ReconcileRequest struct {
	Ref
	Trust api.Trust `json:"trust"`
}
