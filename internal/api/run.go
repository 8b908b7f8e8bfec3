// Package api holds the words in which a run and the outside speak: where the run is and what it waits for, what it can be
// told and what it answers, and the names under which Temporal knows it. The command line, the Temporal UI and the reports
// all print these, so that everybody reads the same. Nothing here asks, waits or decides for a run, and nothing knows
// Temporal's packages.
package api

import (
	"fmt"
	"time"
)

// RunStatus is where a whole run is.
type RunStatus struct {
	Name     string        `json:"name"`
	Subject  Subject       `json:"component"`
	Version  string        `json:"version"`
	Pipeline string        `json:"pipeline"`
	Plan     string        `json:"plan"`
	Back     string        `json:"back,omitempty"`  // the run that this one rolls back
	Retry    string        `json:"retry,omitempty"` // the run that left what this one tries again
	Origin   Origin        `json:"origin"`
	Phase    Phase         `json:"phase"`
	By       string        `json:"by"`
	Reason   string        `json:"reason,omitempty"`
	Started  time.Time     `json:"started"`
	Ended    time.Time     `json:"ended,omitzero"`
	Waiting  *Waiting      `json:"waiting,omitempty"`
	Percent  int           `json:"percent"`
	Failed   int           `json:"failed"`
	Checks   []Check       `json:"checks,omitempty"` // of the run as a whole
	Stages   []StageStatus `json:"stages"`
	Ending   *Ending       `json:"ending,omitempty"` // who took it back, or aborted it
	Moves    []string      `json:"moves,omitempty"`  // unit paths in the order in which they started
	TaskReport
}

// StageStatus is where a stage of a run is.
type StageStatus struct {
	Name    string       `json:"name"`
	Phase   Phase        `json:"phase"`
	Skipped string       `json:"skipped,omitempty"`
	Waiting *Waiting     `json:"waiting,omitempty"`
	Checks  []Check      `json:"checks,omitempty"`
	Units   []UnitStatus `json:"units"`

	Approvals []Vote `json:"approvals,omitempty"` // of different people, those that have expired too
	Rejected  *Vote  `json:"rejected,omitempty"`
}

// Vote is what somebody has said to a stage that waits for approval.
type Vote struct {
	Who    string    `json:"who"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
	Until  time.Time `json:"until,omitzero"` // an approval counts no longer; zero where it always does
}

// Counts reports whether an approval has not expired.
func (v Vote) Counts(now time.Time) bool { return v.Until.IsZero() || now.Before(v.Until) }

// Rejection says who has rejected which stage of a run, and why; "" where nobody has.
func (r *RunStatus) Rejection() string {
	for i := range r.Stages {
		if v := r.Stages[i].Rejected; v != nil {
			return fmt.Sprintf("%s rejected stage %s: %s", v.Who, r.Stages[i].Name, v.Reason)
		}
	}
	return ""
}

// LeftOut lists the units that people have left out of a run: without them it is done in part.
func (s *RunStatus) LeftOut() []UnitStatus {
	var out []UnitStatus
	for _, st := range s.Stages {
		for _, u := range st.Units {
			if u.LeftOut() {
				out = append(out, u)
			}
		}
	}
	return out
}

// Ending is who ended a run, or a unit, before it came to its own end, and why.
type Ending struct {
	By     string `json:"by"` // BySluice where nobody asked for it
	Reason string `json:"reason,omitempty"`
}

// Said tells people who it was, and why.
func (e *Ending) Said() string {
	if e.Reason == "" {
		return "by " + e.By
	}
	return "by " + e.By + ": " + e.Reason
}

// BySluice is who ends what its own rules end.
const BySluice = "sluice"

// ByItself reports whether no person asked for the end.
func (e *Ending) ByItself() bool { return e == nil || e.By == BySluice }
