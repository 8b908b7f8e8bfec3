// Package step is what workflows ask of the outside: the names of activities and the shapes that go in and come back.
// Workflows and activities both import it, and neither imports the other. Nothing here does anything.
package step

import (
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// Names of the activities near a cluster. Each is idempotent under its request.
const (
	Diff      = "cluster.Diff"      // DiffRequest -> DiffResult: renders and compares; changes nothing
	Preview   = "cluster.Preview"   // DiffRequest -> string: Diff, stored; a cluster out of reach is a result; blob digest of plan.Cluster
	Acquire   = "cluster.Acquire"   // Ref -> Ref with its fence: takes the Lease
	Apply     = "cluster.Apply"     // ApplyRequest -> ApplyResult: writes what is not a workload
	Prepare   = "cluster.Prepare"   // WorkloadRequest -> goal.State: holds a workload and arms it
	Advance   = "cluster.Advance"   // AdvanceRequest -> api.Facts: moves one batch; long
	Observe   = "cluster.Observe"   // ObserveRequest -> api.Facts: looks for a time, or until a check fails; long
	Look      = "cluster.Look"      // AdvanceRequest -> api.Facts: looks once
	Arm       = "cluster.Arm"       // WorkloadRequest -> goal.State
	Disarm    = "cluster.Disarm"    // WorkloadRequest -> goal.State
	Finish    = "cluster.Finish"    // WorkloadRequest -> goal.State: gives the owner's strategy back
	Revert    = "cluster.Revert"    // AdvanceRequest -> api.Facts: moves a workload back; long
	Unapply   = "cluster.Unapply"   // ApplyRequest -> ApplyResult: takes back what Apply wrote
	Prune     = "cluster.Prune"     // PruneRequest -> PruneResult: what earlier versions left behind
	Release   = "cluster.Release"   // ReleaseRequest -> nothing: frees the Lease
	Reachable = "cluster.Reachable" // Ref -> nothing: returns once the API server answers; long
)

// Names of the activities of the ledger.
const (
	LoadRun    = "ledger.LoadRun"    // string (plan hash) -> RunPlan
	LoadUnit   = "ledger.LoadUnit"   // Ref -> UnitPlan
	SaveLive   = "ledger.SaveLive"   // SaveLiveRequest -> nothing
	SaveUnit   = "ledger.SaveUnit"   // SaveUnitRequest -> string (blob digest)
	SaveRun    = "ledger.SaveRun"    // api.Run -> nothing
	AddAudit   = "ledger.AddAudit"   // AuditRequest -> nothing
	Unobserved = "ledger.Unobserved" // Ref -> nothing: marks the cluster as out of reach
)

// OfLedger reports whether an activity is one of the ledger's.
func OfLedger(name string) bool { return strings.HasPrefix(name, "ledger.") }

// Closed waits for a workflow to close: string (workflow ID) -> nothing; long.
const Closed = "workflow.Closed"

// Evaluate is the local activity that runs gates: EvaluateRequest -> []api.Check.
const Evaluate = "gate.Evaluate"

// Ref addresses one cluster of a run, and carries the fence under which it may be written.
type Ref struct {
	Run       string `json:"run"`
	Plan      string `json:"plan"`
	Component string `json:"component"`
	Cluster   string `json:"cluster"`
	Context   string `json:"context"`
	Fence     int64  `json:"fence,omitempty"`
	Back      bool   `json:"back,omitempty"`   // the unit goes to the plan's way back
	BackOf    string `json:"backOf,omitempty"` // with Back: the run whose creations are taken back
}

// RunPlan is the part of a plan that the run itself needs.
type RunPlan struct {
	Component string                 `json:"component"`
	Version   string                 `json:"version"`
	Pipeline  string                 `json:"pipeline"`
	OnFailure pipelines.OnFailure    `json:"onFailure"`
	Rollback  pipelines.RollbackMode `json:"rollback"`
	Origin    api.Origin             `json:"origin"`
	Stages    []RunStage             `json:"stages"`
}

// RunStage is a stage without what only its units need.
type RunStage struct {
	Name           string                    `json:"name"`
	Skipped        string                    `json:"skipped,omitempty"`
	Approvals      int                       `json:"approvals,omitempty"`
	MaxFailures    int                       `json:"maxFailures"`
	MaxUnreachable int                       `json:"maxUnreachable"`
	SoakGroup      time.Duration             `json:"soakGroup,omitempty"`
	SoakStage      time.Duration             `json:"soakStage,omitempty"`
	Looks          bool                      `json:"looks,omitempty"`  // some check looks at units while they soak
	Checks         []pipelines.ResolvedCheck `json:"checks,omitempty"` // of groups and the stage only
	Groups         []plan.Group              `json:"groups"`           // units without labels, reasons and digests
}

// Units returns how many units the stage has.
func (s RunStage) Units() int { return s.Stage().Units() }

// AllUnits returns the units of all its groups, in order.
func (s RunStage) AllUnits() []plan.Unit {
	var all []plan.Unit
	for _, g := range s.Groups {
		all = append(all, g.Units...)
	}
	return all
}

// Stage returns the stage as the planner's arithmetic wants it.
func (s RunStage) Stage() *plan.Stage {
	return &plan.Stage{Name: s.Name, MaxFailures: s.MaxFailures, MaxUnreachable: s.MaxUnreachable, Groups: s.Groups}
}

// UnitPlan is the part of a plan that one cluster needs.
type UnitPlan struct {
	Unit     rule.Unit              `json:"unit"`
	Change   rule.Change            `json:"change"`
	Rules    plan.Rules             `json:"rules"`
	WayBack  plan.WayBack           `json:"wayBack"`
	Target   string                 `json:"target"`
	Rollback pipelines.RollbackMode `json:"rollback"`
	Prune    bool                   `json:"prune,omitempty"` // take away what earlier versions left behind
}

// DiffRequest asks what would change in a cluster.
type DiffRequest struct {
	Ref
}

// DiffResult is what would change. Changes is the blob digest of the whole change set, which Apply and the workload
// activities read.
type DiffResult struct {
	Cluster plan.Cluster `json:"cluster"` // without Objects where it travels through a workflow
	Changes string       `json:"changes"`
	Stored  string       `json:"stored"`         // blob digest of plan.Cluster, whole
	Left    []string     `json:"left,omitempty"` // digest-named objects that earlier versions left behind
	Before  bool         `json:"before"`         // something is written before the workloads
	After   bool         `json:"after"`          // something is written after them
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

// WorkloadRequest is about one workload of a change set.
type WorkloadRequest struct {
	Ref
	Changes string     `json:"changes"`
	Object  string     `json:"object"` // Kind/namespace/name
	State   goal.State `json:"state"`
	Revert  bool       `json:"revert,omitempty"` // Finish: the workload was moved back
}

// AdvanceRequest is about one batch of a workload.
type AdvanceRequest struct {
	WorkloadRequest
	Goal     goal.Goal                 `json:"goal"`
	Size     int                       `json:"size"`
	Target   int                       `json:"target"`
	Total    int                       `json:"total"`
	Unit     rule.Unit                 `json:"unit"`
	Change   rule.Change               `json:"change"`
	Checks   []pipelines.ResolvedCheck `json:"checks,omitempty"`   // those that run during it
	Deadline time.Duration             `json:"deadline,omitempty"` // Advance and Revert end as stalled without progress for so long; 0: never
	Version  string                    `json:"version,omitempty"`
}

// ObserveRequest asks for looks at a unit that soaks, For so long since it was asked or until a check of one of its workloads
// does not pass. Record names, instead of Workloads, the record of a unit that has ended.
type ObserveRequest struct {
	Ref
	For       time.Duration    `json:"for"`
	Workloads []AdvanceRequest `json:"workloads,omitempty"`
	Record    string           `json:"record,omitempty"` // blob digest of a UnitRecord
}

// Progress is what a long activity says in its heartbeats. Its next attempt goes on from it.
type Progress struct {
	Updated   int           `json:"updated"`
	Ready     int           `json:"ready"`
	Available int           `json:"available,omitempty"` // of the workload, at the revision
	Target    int           `json:"target"`
	Total     int           `json:"total"`
	Stalled   bool          `json:"stalled,omitempty"`
	Since     time.Time     `json:"since"`          // of the last progress, as the worker's clock says
	Idle      time.Duration `json:"idle,omitempty"` // for how long it was looked at since, without any; out of reach does not count
	Note      string        `json:"note,omitempty"`
	Stuck     *api.Stuck    `json:"stuck,omitempty"` // once it does not get on
}

// EvaluateRequest asks for the verdicts of checks over facts.
type EvaluateRequest struct {
	Point  pipelines.Point           `json:"point"`
	Checks []pipelines.ResolvedCheck `json:"checks"`
	Facts  rule.Facts                `json:"facts"`
}

// ReleaseRequest frees a Lease and records what runs now.
type ReleaseRequest struct {
	Ref
	Outcome api.Phase `json:"outcome"`
	Changes string    `json:"changes,omitempty"`
}

// SaveLiveRequest stores what was seen for a plan, in plan order.
type SaveLiveRequest struct {
	Plan     string `json:"plan"`
	Clusters []Seen `json:"clusters"`
}

// Seen is what was seen of one cluster: the blob digest of its plan.Cluster, or why nothing could be seen.
type Seen struct {
	Cluster     string `json:"cluster"`
	Digest      string `json:"digest,omitempty"`
	Unreachable string `json:"unreachable,omitempty"`
}

// UnitRecord is what is kept of a unit that has ended: its whole status, and what the soaks of its group and stage look at.
type UnitRecord struct {
	api.Unit
	Soaking []AdvanceRequest `json:"soaking,omitempty"`
}

// SaveUnitRequest stores the record of a unit.
type SaveUnitRequest struct {
	Ref
	Record UnitRecord `json:"record"`
}

// AuditRequest is a command and what came of it.
type AuditRequest struct {
	Who     string `json:"who"`
	Command string `json:"command"`
	Run     string `json:"run"`
	Scope   string `json:"scope,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Outcome string `json:"outcome"`
}
