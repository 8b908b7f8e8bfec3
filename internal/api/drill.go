package api

import (
	"fmt"
	"time"
)

// DrillKind is the kind under which the ledger keeps drills.
const DrillKind = "Drill"

// Drill is a version that is known to be bad, and that is run by a schedule to prove that a pipeline still stops it. It is resolved: its
// plan names every cluster that it ever touches, and what is to go there.
type Drill struct {
	Plan     string        `json:"plan"` // hash; each time it is made anew with what the clusters go back to by then
	Subject  Subject       `json:"component"`
	Version  string        `json:"version"` // the bad one
	Pipeline string        `json:"pipeline"`
	Clusters []string      `json:"clusters"`
	Cron     string        `json:"cron"`
	TimeZone string        `json:"timeZone"`
	Checks   []string      `json:"stoppedBy,omitempty"` // one of these is to stop it; any, where there are none
	Within   time.Duration `json:"within"`
	Moves    int           `json:"moves"` // clusters at most, before it is stopped
}

// DrillName is the ID of a drill's schedule, and what the IDs of its workflows begin with.
func DrillName(name string) string { return "drill/" + name }

// DrillOutcome is what a drill has proven.
type DrillOutcome string

// The outcomes.
const (
	DrillRuns       DrillOutcome = "Runs"       // it is under way
	DrillStopped    DrillOutcome = "Stopped"    // the pipeline stops the bad version, and what ran before is back
	DrillNotStopped DrillOutcome = "NotStopped" // it does not: an alarm
	DrillNotRun     DrillOutcome = "NotRun"     // nothing was proven: a freeze holds it, or it could not start
)

// Judged reports whether something was proven.
func (o DrillOutcome) Judged() bool { return o == DrillStopped || o == DrillNotStopped }

// Drilled is one time that a drill ran, or was to.
type Drilled struct {
	ID      string       `json:"id"` // NAME/when
	Drill   string       `json:"drill"`
	Run     string       `json:"run,omitempty"`
	Outcome DrillOutcome `json:"outcome"`
	Message string       `json:"message,omitempty"` // why
	Check   string       `json:"check,omitempty"`   // that stopped it
	At      string       `json:"at,omitempty"`      // path of the batch or unit that it was stopped at
	Started time.Time    `json:"started"`
	Until   time.Time    `json:"until,omitzero"` // by when it is to be stopped
	Ended   time.Time    `json:"ended,omitzero"`
}

// DrilledID names one time of a drill.
func DrilledID(drill string, at time.Time) string {
	return fmt.Sprintf("%s/%s", drill, at.UTC().Format("20060102T150405.000Z"))
}

// DrillInput starts a drill's workflow.
type DrillInput struct {
	Drill string `json:"drill"`
}

// DrillTime is one time of a drill, which begins.
type DrillTime struct {
	ID      string    `json:"id"`
	Drill   string    `json:"drill"`
	Started time.Time `json:"started"`
}
