// Package workflows is how a rollout goes: orchestration only. Everything in it is deterministic; what reads or writes
// the world is an activity, named in internal/step. The code is meant to read like the runbook of a careful operator.
package workflows

import (
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
)

// ClusterInput starts one unit.
type ClusterInput struct {
	step.Ref
	Stage  string `json:"stage"`
	Group  string `json:"group"`
	Path   string `json:"path"`
	Site   string `json:"site,omitempty"`
	Parent string `json:"parent"` // workflow ID of the run
	Paused bool   `json:"paused,omitempty"`
	// Closes has the unit close as it ended: as failed, cancelled or completed, with its status in the error. The run that
	// started it reads that; one that did not say so takes any error for a crash.
	Closes bool `json:"closes,omitempty"`
	// TellEvery is how often the unit may tell its run of changes that decide nothing; 0 for never.
	TellEvery time.Duration `json:"tellEvery,omitempty"`
}

// Signals between a run and its units.
const (
	signalOrder   = "order"   // run -> unit: an order
	signalReport  = "report"  // unit -> run: a report
	signalErrands = "errands" // run -> part of a stage: a list of errands
	signalNews    = "news"    // part of a stage -> run: a list of news
)

// order is what a run tells a unit.
type order struct {
	Run    string `json:"run,omitempty"`  // who orders; another run's unit under the same workflow ID does not obey
	Back   bool   `json:"back,omitempty"` // to the unit that was started to go back, which has the same ID too
	Kind   string `json:"kind"`
	Who    string `json:"who,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// The kinds of order. Stop ends a unit where it is; it is what a run says to a unit that failed within the budget, and
// to one that stayed out of reach.
const (
	orderPause    = "pause"
	orderResume   = "resume"
	orderAbort    = "abort"
	orderRollback = "rollback"
	orderStop     = "stop"

	orderSupersede = "supersede" // of another run's unit, to the looks at this one
)

// report is what a unit tells its run.
type report struct {
	Cluster  string       `json:"cluster"`
	Phase    api.Phase    `json:"phase"`
	Moved    bool         `json:"moved,omitempty"`
	Waiting  *api.Waiting `json:"waiting,omitempty"`
	Failure  *api.Check   `json:"failure,omitempty"`
	FailedAt string       `json:"failedAt,omitempty"`
	Look     bool         `json:"look,omitempty"` // the unit has arrived, and is looked at
	// Which execution of the unit's workflow says so, and its how manyth report it is: signals may overtake each other, and
	// one may come in after its unit has ended and another has begun there.
	Execution string `json:"execution,omitempty"`
	Number    int    `json:"number,omitempty"`
}
