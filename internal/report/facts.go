// Package report writes down what became of a run, for whoever was not there: what was to change, what happened when, which verdicts
// decided and on what they looked, who did what, what went back and what is owed. It makes one document of what others have found out,
// and writes it as Markdown or as a page of HTML that needs nothing else. It asks nobody, and what it writes has bounds.
package report

import (
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/blame"
	"sluice.dev/sluice/internal/plan"
)

// Facts are what a report is made of.
type Facts struct {
	Made      time.Time
	Run       api.RunStatus
	Note      string // why less is known than usual; "" where it is not
	Origin    string // of the files of the plan, as one phrase
	PlannedBy string
	PlannedAt time.Time
	// Before are units as they had ended before they were taken back, by their paths.
	Before   map[string]api.UnitStatus
	Diffs    []plan.Shared
	Undiffed string // why there is no diff to show; "" where there is
	Deeds    []Deed // of people, the oldest first
	Deedless string // which deeds are missing, and why; "" where none is
	Freezes  []api.Freeze
	Blames   []Blame
}

// Blame is what may have broken a unit, the most likely first.
type Blame struct {
	Unit     string // path
	At       time.Time
	Suspects []blame.Suspect
	More     int // suspects that are not named
	Note     string
}

// Deed is a command that somebody gave, and what came of it.
type Deed struct {
	At      time.Time
	Who     string
	Command string
	Scope   string
	Reason  string
	Outcome string
}

// The bounds of a document. What is beyond is counted.
const (
	maxMoments  = 200
	maxFindings = 50
	maxUnits    = 60 // rows of clusters, each of which may be many that are equal
	maxBars     = 60
	maxNames    = 6
	maxDeeds    = 200
	maxOwed     = 60
	maxDiffs    = 12
	maxDiffRows = 200
	maxText     = 600
	maxBlames   = 20
)
