package api

import (
	"time"

	"sluice.dev/sluice/internal/workload/goal"
)

// UnitStatus is where a unit of a run is: one cluster.
type UnitStatus struct {
	Path     string        `json:"path"`
	Cluster  string        `json:"cluster"`
	Group    string        `json:"group"`
	Stage    string        `json:"stage"`
	Phase    Phase         `json:"phase"`
	Version  string        `json:"version,omitempty"` // what it rests at, or is moved to
	Moved    bool          `json:"moved,omitempty"`   // something in the cluster was changed
	Armed    bool          `json:"armed,omitempty"`
	Last     *LastBatch    `json:"last,omitempty"` // what can go back alone; nil where nothing can
	Started  time.Time     `json:"started,omitzero"`
	Ended    time.Time     `json:"ended,omitzero"`
	Waiting  *Waiting      `json:"waiting,omitempty"`
	Failure  *Check        `json:"failure,omitempty"`  // the check that stopped it
	FailedAt string        `json:"failedAt,omitempty"` // path of the batch or unit that it stopped at
	Batches  []BatchStatus `json:"batches,omitempty"`
	Checks   []Check       `json:"checks,omitempty"` // of the cluster itself
	Spared   bool          `json:"spared,omitempty"` // there were more of these, and no room for them
	// FailedBatches is how many of its batches failed, and it went on all the same: its own budget bore them.
	FailedBatches int      `json:"failedBatches,omitempty"`
	Kept          []string `json:"kept,omitempty"`   // objects that a rollback left in place
	Ending        *Ending  `json:"ending,omitempty"` // who took it back, or ended it where it was
	// Behind is the dead nodes: set aside, or lost under a batch. What they have is left to the owner's strategy.
	Behind []goal.Behind `json:"behind,omitempty"`
	// Nodes is the blob digest of what had happened to the cluster's nodes when it failed, a NodesSeen.
	Nodes string `json:"nodes,omitempty"`
	// Superseded is the run that moves this cluster since: this one neither looks at it any more nor takes it back.
	Superseded string   `json:"superseded,omitempty"`
	Pruned     []string `json:"pruned,omitempty"`   // digest-named objects that nothing needed any more, and that were taken away
	Unneeded   []string `json:"unneeded,omitempty"` // and those that are still there
	Workflow   string   `json:"workflow,omitempty"`
	Detail     string   `json:"detail,omitempty"` // blob digest of the whole status, once ended
	Before     string   `json:"before,omitempty"` // the same, of how it had ended before it was taken back
	// Cause is the check for which it goes back, where Failure is none or about the way back itself.
	Cause   *Check `json:"cause,omitempty"`
	CauseAt string `json:"causeAt,omitempty"` // path of the batch or unit that it was found at
}

// LeftOut reports whether a person has left the unit out. One whose turn never came is skipped too, and by nobody.
func (u *UnitStatus) LeftOut() bool { return u.Phase == PhaseSkipped && u.Ending != nil }

// Failing reports whether the unit failed, or stands where a check says that it does. One that somebody left out did not.
func (u *UnitStatus) Failing() bool {
	return u.Phase != PhaseSkipped && (u.Phase == PhaseFailed || u.Failure != nil && u.Failure.Verdict == Failed)
}

// CheckReach is the name of the failure of a unit whose cluster was out of reach to the end of its run.
const CheckReach = "reach"

// Lost reports whether the unit failed as its cluster was out of reach to the end, and not as anything said that the change is bad.
func (u *UnitStatus) Lost() bool {
	return u.Failure != nil && u.Failure.Name == CheckReach && u.Failure.At == AtUnit
}

// BatchStatus is a batch of a unit as it went.
type BatchStatus struct {
	Path     string    `json:"path"` // group/cluster/node set/number
	Workload string    `json:"workload"`
	NodeSet  string    `json:"nodeSet"`
	Number   int       `json:"number"`
	Size     int       `json:"size"`
	Target   int       `json:"target"`
	Total    int       `json:"total"`
	Phase    Phase     `json:"phase"`
	Updated  int       `json:"updated"`
	Ready    int       `json:"ready"`
	Lost     int       `json:"lost,omitempty"`  // nodes that died under it
	Nodes    []string  `json:"nodes,omitempty"` // whose pods it moved, sorted, as far as a hundred of its node set are known
	Skipped  string    `json:"skipped,omitempty"`
	Started  time.Time `json:"started,omitzero"`
	Ended    time.Time `json:"ended,omitzero"`
	Checks   []Check   `json:"checks,omitempty"`
	Spared   bool      `json:"spared,omitempty"` // there were more checks, and no room for them
	Borne    string    `json:"borne,omitempty"`  // what it has failed by, and why the unit went on
	Stuck    *Stuck    `json:"stuck,omitempty"`  // what kept it from getting on where it stands
	Back     *Ending   `json:"back,omitempty"`   // who had it taken back alone; it stays where it moves anew
}

// LastBatch is the batch of a unit that began to move last, of a workload that was there before and is not given back yet.
type LastBatch struct {
	Path string  `json:"path"`
	Back *Ending `json:"back,omitempty"` // who had it taken back; nil while its pods are moved
}

// Said tells people that it was taken back.
func (b LastBatch) Said() string { return "batch " + b.Path + " was taken back, " + b.Back.Said() }
