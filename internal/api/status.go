// Package api holds the words in which a run says where it is and what it waits for. The command line, the Temporal
// UI and the reports all print these, so that everybody reads the same.
package api

import (
	"time"

	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines/rule"
)

// Verdict is what a check found.
type Verdict string

// The verdicts. Only Passed lets a unit go on; only Failed may roll it back by itself.
const (
	Passed       Verdict = "Passed"
	Failed       Verdict = "Failed"
	Inconclusive Verdict = "Inconclusive" // looked, cannot tell
	Error        Verdict = "Error"        // could not look
	Skipped      Verdict = "Skipped"
)

// Waiting says what something waits for.
type Waiting struct {
	Kind  string    `json:"kind"` // lock, approval, check, pods, soak, cluster, decision, person
	Name  string    `json:"name,omitempty"`
	Since time.Time `json:"since"`
	Until time.Time `json:"until,omitzero"` // when it changes by itself
	Unmet []string  `json:"unmet,omitempty"`
	Owner string    `json:"owner,omitempty"` // who can act
}

// Ending is who ended a run, or a unit, before it came to its own end, and why.
type Ending struct {
	By     string `json:"by"` // BySluice where nobody asked for it
	Reason string `json:"reason,omitempty"`
}

// BySluice is who ends what its own rules end.
const BySluice = "sluice"

// ByItself reports whether no person asked for the end.
func (e *Ending) ByItself() bool { return e == nil || e.By == BySluice }

// Check is a check with its verdict and what it saw.
type Check struct {
	Name     string         `json:"name"`
	At       string         `json:"at"`
	Verdict  Verdict        `json:"verdict"`
	Advisory bool           `json:"advisory,omitempty"`
	Message  string         `json:"message,omitempty"`
	Seen     map[string]any `json:"seen,omitempty"` // the facts that the rule speaks of
}

// FirstBad returns the first check that holds a unit: anything but Passed or Skipped, unless it only advises. A check is
// Skipped only behind one that did not pass, which is then found first.
func FirstBad(found []Check) (Check, bool) {
	for _, c := range found {
		if c.Verdict != Passed && c.Verdict != Skipped && !c.Advisory {
			return c, true
		}
	}
	return Check{}, false
}

// Batch is a batch of a unit as it went.
type Batch struct {
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
	Lost     int       `json:"lost,omitempty"` // nodes that died under it
	Skipped  string    `json:"skipped,omitempty"`
	Started  time.Time `json:"started,omitzero"`
	Ended    time.Time `json:"ended,omitzero"`
	Checks   []Check   `json:"checks,omitempty"`
	Stuck    *Stuck    `json:"stuck,omitempty"` // what kept it from getting on where it stands
}

// Unit is a cluster of a run.
type Unit struct {
	Path     string    `json:"path"`
	Cluster  string    `json:"cluster"`
	Group    string    `json:"group"`
	Stage    string    `json:"stage"`
	Phase    Phase     `json:"phase"`
	Version  string    `json:"version,omitempty"` // what it rests at, or is moved to
	Moved    bool      `json:"moved,omitempty"`   // something in the cluster was changed
	Armed    bool      `json:"armed,omitempty"`
	Started  time.Time `json:"started,omitzero"`
	Ended    time.Time `json:"ended,omitzero"`
	Waiting  *Waiting  `json:"waiting,omitempty"`
	Failure  *Check    `json:"failure,omitempty"`  // the check that stopped it
	FailedAt string    `json:"failedAt,omitempty"` // path of the batch or unit that it stopped at
	Batches  []Batch   `json:"batches,omitempty"`
	Checks   []Check   `json:"checks,omitempty"` // of the cluster itself
	Kept     []string  `json:"kept,omitempty"`   // objects that a rollback left in place
	Ending   *Ending   `json:"ending,omitempty"` // who took it back, or ended it where it was
	// Behind is the dead nodes: set aside, or lost under a batch. What they have is left to the owner's strategy.
	Behind []goal.Behind `json:"behind,omitempty"`
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

// Stage is a stage of a run.
type Stage struct {
	Name    string   `json:"name"`
	Phase   Phase    `json:"phase"`
	Skipped string   `json:"skipped,omitempty"`
	Waiting *Waiting `json:"waiting,omitempty"`
	Checks  []Check  `json:"checks,omitempty"`
	Units   []Unit   `json:"units"`
}

// Origin is where the files of a plan came from.
type Origin struct {
	Repository string `json:"repository,omitempty"`
	Commit     string `json:"commit,omitempty"`
	Path       string `json:"path,omitempty"`
	Dirty      bool   `json:"dirty,omitempty"`
}

// Run is a whole run.
type Run struct {
	Name      string    `json:"name"`
	Component string    `json:"component"`
	Version   string    `json:"version"`
	Pipeline  string    `json:"pipeline"`
	Plan      string    `json:"plan"`
	Back      string    `json:"back,omitempty"` // the run that this one rolls back
	Origin    Origin    `json:"origin"`
	Phase     Phase     `json:"phase"`
	By        string    `json:"by"`
	Reason    string    `json:"reason,omitempty"`
	Started   time.Time `json:"started"`
	Ended     time.Time `json:"ended,omitzero"`
	Waiting   *Waiting  `json:"waiting,omitempty"`
	Percent   int       `json:"percent"`
	Failed    int       `json:"failed"`
	Stages    []Stage   `json:"stages"`
	Ending    *Ending   `json:"ending,omitempty"` // who took it back, or aborted it
	Moves     []string  `json:"moves,omitempty"`  // unit paths in the order in which they started
}

// Facts is what a gate saw, with the verdicts that came of it. Stalled is set where a batch did not get on for longer than its
// progressDeadline: the last of Checks is then Progress, Inconclusive, and says how far it had got.
type Facts struct {
	Facts   rule.Facts    `json:"facts"`
	Checks  []Check       `json:"checks,omitempty"`
	Stalled bool          `json:"stalled,omitempty"`
	Stuck   *Stuck        `json:"stuck,omitempty"`  // what keeps pods from being ready; nil where nothing does
	Stays   string        `json:"stays,omitempty"`  // of a revert: why the workload is not back, and what it is now
	Behind  []goal.Behind `json:"behind,omitempty"` // dead nodes of the workload
}

// Progress is the name of the check that a batch gets on. Nobody writes it: every batch has it.
const Progress = "progress"

// Outcome computes the final phase of a run from the recorded phases of its units. It is never set by hand.
func Outcome(stages []Stage) Phase {
	seen := map[Phase]bool{}
	for _, s := range stages {
		for _, u := range s.Units {
			if !u.Phase.Final() && u.Phase != PhasePending {
				seen[PhaseFailed] = true // it was left where it was
			}
			seen[u.Phase] = true
		}
		for _, c := range s.Checks {
			if c.Verdict != Passed && c.Verdict != Skipped && !c.Advisory {
				seen[PhaseFailed] = true
			}
		}
	}
	for _, p := range []Phase{PhaseFailed, PhaseRolledBack, PhaseAborted} {
		if seen[p] {
			return p
		}
	}
	if seen[PhasePending] {
		return PhaseAborted
	}
	return PhaseSucceeded
}
