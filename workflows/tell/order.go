// Package tell is what runs, parts of stages, units and looks tell each other: what they start with, and the signals that go to and
// fro. It sends nothing.
package tell

import "time"

// Signals between a run and its units.
const (
	SignalOrder   = "order"   // run -> unit: an order
	SignalReport  = "report"  // unit -> run: a report
	SignalErrands = "errands" // run -> part of a stage: a list of errands
	SignalNews    = "news"    // part of a stage -> run: a list of news
)

// Order is what a run tells a unit.
type Order struct {
	Run    string `json:"run,omitempty"`  // who orders; another run's unit under the same workflow ID does not obey
	Back   bool   `json:"back,omitempty"` // to the unit that was started to go back, which has the same ID too
	Kind   string `json:"kind"`
	Who    string `json:"who,omitempty"`
	Reason string `json:"reason,omitempty"`
	Freeze Freeze `json:"freeze,omitzero"`
}

// Freeze is which freeze an order to stand still is about.
type Freeze struct {
	Name     string    `json:"name,omitempty"`
	Until    time.Time `json:"until,omitzero"`
	Boundary bool      `json:"boundary,omitempty"` // the batch that is under way ends first
}

// The kinds of order. Stop ends a unit where it is; it is what a run says to a unit that failed within the budget, and
// to one that stayed out of reach. Skip does the same to one that a person leaves out.
const (
	OrderPause    = "pause"
	OrderResume   = "resume"
	OrderAbort    = "abort"
	OrderRollback = "rollback"
	OrderStop     = "stop"
	OrderSkip     = "skip"
	OrderFreeze   = "freeze"
	OrderThaw     = "thaw"
	OrderRetreat  = "retreat"  // to a unit that stands still: take the last batch back
	OrderEndSoak  = "end-soak" // to a unit that soaks, and to looks at one that has arrived

	OrderSupersede = "supersede" // of another run's unit, to the looks at this one
)
