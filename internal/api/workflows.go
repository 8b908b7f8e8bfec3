package api

// Names under which the workflows are registered. The outside starts runs, previews, reconciliations,
// drills, sources and probes; the others are theirs.
const (
	RolloutName        = "Rollout"
	ClusterRolloutName = "ClusterRollout"
	StagePartName      = "StagePart"
	LookName           = "Look"
	PreviewName        = "Preview"
	ReconcileName      = "Reconcile"
	DrillWorkflowName  = "Drill"
	SourceWorkflowName = "Source"
	ProbeWorkflowName  = "Probe"
)

// UnitWorkflowID is the workflow ID of a unit: it reads as the unit's path, and two runs of a subject cannot share it. A
// run's is its name.
func UnitWorkflowID(path string, subject Subject) string { return path + "/" + subject.String() }

// LookWorkflowID is the workflow ID under which a unit that has arrived is looked at.
func LookWorkflowID(path string, subject Subject) string {
	return UnitWorkflowID(path, subject) + "/look"
}

// RolloutInput starts a run, and is the state that it carries when it continues as new.
type RolloutInput struct {
	Run    string `json:"run"` // also the workflow ID
	Plan   string `json:"plan"`
	By     string `json:"by"`
	Reason string `json:"reason,omitempty"`
	// Back makes this a run that takes back another one, which has ended: the units of Scope that it moved.
	Back  *BackInput  `json:"back,omitempty"`
	Retry *RetryInput `json:"retry,omitempty"`
	Holds Holds       `json:"holds,omitzero"`  // the freezes that hold it as it starts
	State *RunState   `json:"state,omitempty"` // set by continue-as-new only
}

// BackInput names the run to take back, and the units that it moved, in the order in which it moved them.
type BackInput struct {
	Run   string   `json:"run"`
	Units []string `json:"units"` // cluster names
}

// RetryInput makes a run go over a part of its plan: what another run, which has ended, has not brought to its end.
type RetryInput struct {
	Run   string   `json:"run"`
	Units []string `json:"units"` // cluster names
}

// RunState is what outlives a continue-as-new.
type RunState struct {
	Status   RunStatus `json:"status"`
	Stage    int       `json:"stage"` // index of the stage to go on with
	Paused   bool      `json:"paused,omitempty"`
	ByPerson bool      `json:"byPerson,omitempty"` // of Paused: a person has asked for it, whatever else holds the run
	Holds    Holds     `json:"holds,omitzero"`     // as it was told last
	Heard    []string  `json:"heard,omitempty"`    // IDs of the commands that were obeyed, the latest last
}

// PreviewInput asks what a plan would change.
type PreviewInput struct {
	Plan     string        `json:"plan"`
	Subject  Subject       `json:"component"`
	Clusters []PreviewUnit `json:"clusters"`
}

// PreviewUnit is one cluster to look at.
type PreviewUnit struct {
	Cluster string `json:"cluster"`
	Context string `json:"context"`
	Site    string `json:"site,omitempty"`
}
