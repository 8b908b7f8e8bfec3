package api

import (
	"time"

	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines"
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

// Check is a check with its verdict and what it saw.
type Check struct {
	Name     string          `json:"name"`
	At       pipelines.Point `json:"at"`
	Verdict  Verdict         `json:"verdict"`
	Advisory bool            `json:"advisory,omitempty"`
	Message  string          `json:"message,omitempty"`
	Seen     map[string]any  `json:"seen,omitempty"`   // the facts that the rule speaks of
	Stopped  time.Time       `json:"stopped,omitzero"` // when it stopped a unit; zero where it stopped none
}

// Where else than at the points of a pipeline something is found.
const (
	AtPlan     pipelines.Point = "plan"     // the cluster as it is refuses the plan
	AtNodes    pipelines.Point = "nodes"    // more of them are dead than may be left behind
	AtDisarm   pipelines.Point = "disarm"   // a workload did not let itself be disarmed
	AtRollback pipelines.Point = "rollback" // the way back itself
	AtUnit     pipelines.Point = "unit"     // a unit's workflow, which ended and nobody knows how
	AtSoak     pipelines.Point = "soak"     // of a group or stage, for one of its units
	AtEnd      pipelines.Point = "end"      // after the last check of a unit
)

// AtSoakOf is where a look in the soak of a group or stage found something.
func AtSoakOf(what string) pipelines.Point { return AtSoak + " of " + pipelines.Point(what) }

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
