package step

import (
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// The activities of one workload in a cluster.
var (
	// Prepare holds a workload and arms it.
	Prepare = short[WorkloadRequest, goal.State]("cluster.Prepare")
	// Advance moves one batch, and judges meanwhile.
	Advance = lasting[AdvanceRequest, api.Facts]("cluster.Advance")
	// Observe looks for a time, or until a check does not pass.
	Observe = idle[ObserveRequest, api.Facts]("cluster.Observe")
	// Look looks once.
	Look = short[AdvanceRequest, api.Facts]("cluster.Look")
	// Arm and Disarm let recreated pods have the new template, and keep it from them.
	Arm    = short[WorkloadRequest, goal.State]("cluster.Arm")
	Disarm = short[WorkloadRequest, goal.State]("cluster.Disarm")
	// Finish gives the owner's strategy back.
	Finish = short[WorkloadRequest, goal.State]("cluster.Finish")
	// Revert moves a workload back.
	Revert = lasting[AdvanceRequest, api.Facts]("cluster.Revert")
	// Retreat takes a batch of a disarmed workload back: the goal is what stays moved.
	Retreat = lasting[AdvanceRequest, api.Facts]("cluster.Retreat")
)

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
	Deadline time.Duration             `json:"deadline,omitempty"` // what moves pods ends as stalled without progress for so long; 0: never
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
