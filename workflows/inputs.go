// Package workflows is how a rollout goes: orchestration only. Everything in it is deterministic; what reads or writes
// the world is an activity, named in internal/step. The code is meant to read like the runbook of a careful operator.
package workflows

import (
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
)

// Queue returns the task queue on which an installation's workflows and central activities are served. It is made of the
// ledger's installation, so that a worker with another ledger never takes this one's work.
func Queue(installation string) string {
	id := strings.TrimPrefix(installation, "sluice-")
	return "sluice-" + id[:min(8, len(id))]
}

// SiteQueue returns the task queue for work near the clusters of a site; the central one for "".
func SiteQueue(central, site string) string {
	if site == "" {
		return central
	}
	return central + "-" + site
}

// Names under which the workflows are registered.
const (
	RolloutName        = "Rollout"
	ClusterRolloutName = "ClusterRollout"
	StagePartName      = "StagePart"
	LookName           = "Look"
	PreviewName        = "Preview"
)

// RolloutInput starts a run, and is the state that it carries when it continues as new.
type RolloutInput struct {
	Run    string `json:"run"` // also the workflow ID
	Plan   string `json:"plan"`
	By     string `json:"by"`
	Reason string `json:"reason,omitempty"`
	// Back makes this a run that takes back another one, which has ended: the units of Scope that it moved.
	Back  *BackInput `json:"back,omitempty"`
	State *RunState  `json:"state,omitempty"` // set by continue-as-new only
}

// BackInput names the run to take back, and the units that it moved, in the order in which it moved them.
type BackInput struct {
	Run   string   `json:"run"`
	Units []string `json:"units"` // cluster names
}

// RunState is what outlives a continue-as-new.
type RunState struct {
	Status    api.Run             `json:"status"`
	Stage     int                 `json:"stage"` // index of the stage to go on with
	Paused    bool                `json:"paused,omitempty"`
	Approvals map[string][]string `json:"approvals,omitempty"` // stage -> who
	Heard     []string            `json:"heard,omitempty"`     // IDs of the commands that were obeyed, the latest last
}

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

// Scope narrows a command to a part of a run; all of it where nothing is set.
type Scope struct {
	Stage    string   `json:"stage,omitempty"`
	Group    string   `json:"group,omitempty"`
	Clusters []string `json:"clusters,omitempty"`
}

// Whole reports whether the scope is the whole run.
func (s Scope) Whole() bool { return s.Stage == "" && s.Group == "" && len(s.Clusters) == 0 }

// String names the scope as the command line does.
func (s Scope) String() string {
	switch {
	case s.Stage != "":
		return "stage " + s.Stage
	case s.Group != "":
		return "group " + s.Group
	case len(s.Clusters) > 0:
		out := "cluster"
		for _, c := range s.Clusters {
			out += " " + c
		}
		return out
	}
	return "run"
}

// holds reports whether a unit is in the scope.
func (s Scope) holds(u api.Unit) bool {
	if s.Whole() {
		return true
	}
	if s.Stage != "" && s.Stage == u.Stage || s.Group != "" && s.Group == u.Group {
		return true
	}
	for _, c := range s.Clusters {
		if c == u.Cluster {
			return true
		}
	}
	return false
}

// Names of the Updates that a run takes, each with a Command, and of its Query, which returns a api.Run. A unit
// answers the same query with its api.Unit.
const (
	UpdatePause    = "pause"
	UpdateResume   = "resume"
	UpdateApprove  = "approve"
	UpdateAbort    = "abort"
	UpdateRollback = "rollback"
	QueryStatus    = "status"
)

// Command is what an operator asks of a run.
type Command struct {
	Who     string `json:"who"`
	Reason  string `json:"reason,omitempty"`
	Scope   Scope  `json:"scope,omitzero"`    // rollback only
	Plan    string `json:"plan,omitempty"`    // approve: the hash that was read
	Abandon bool   `json:"abandon,omitempty"` // abort: also a rollback that is under way, half done as it may be
	DryRun  bool   `json:"dryRun,omitempty"`  // rollback: say what would go where, and change nothing
}

// Answer is what an operator hears.
type Answer struct {
	Message string   `json:"message"`
	Stands  bool     `json:"stands,omitempty"` // nobody has obeyed it yet: it stands until a worker takes the run up
	Units   []string `json:"units,omitempty"`  // rollback: the units that go back, in order, for people
	// Back is the same as data, with what becomes of the rest of the run.
	Back *TakingBack `json:"back,omitempty"`
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
