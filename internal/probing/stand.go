package probing

import (
	"time"
)

// State is what is known of a case at a target.
type State string

// The states.
const (
	Passing State = "Passing"
	Failing State = "Failing"
	Unknown State = "Unknown" // it could not look, or nobody has for too long
	Paused  State = "Skipped" // it says itself that there is nothing to look at
)

// Stand is what is known of a case at a target: what many results say together.
type Stand struct {
	Cluster string    `json:"cluster"`
	Case    string    `json:"case"`
	Target  string    `json:"target,omitempty"` // a node, a member, a tenant; "" is the cluster
	State   State     `json:"state"`
	Since   time.Time `json:"since"`
	Streak  int       `json:"streak"`           // results in a row that say so
	Until   time.Time `json:"until"`            // after which it is Unknown
	Recent  string    `json:"recent,omitempty"` // the last verdicts, the newest last: a letter each
	Missed  int64     `json:"missed,omitempty"` // of the case in the cluster
	Last    *Outcome  `json:"last,omitempty"`   // the last result; nil where there is none yet

	Namespace   string      `json:"namespace,omitempty"` // in which its ProbeConfig is
	Probe       string      `json:"probe,omitempty"`
	Binding     string      `json:"binding,omitempty"`
	Version     string      `json:"version,omitempty"`
	Program     string      `json:"program,omitempty"` // as ConfigSpec.Program has it
	Severity    string      `json:"severity,omitempty"`
	Owner       string      `json:"owner,omitempty"`
	Mode        Mode        `json:"mode,omitempty"`
	Schedule    Schedule    `json:"schedule,omitzero"`
	Events      []EventSpec `json:"events,omitempty"`
	Enforcement Enforcement `json:"enforcement,omitzero"`
}

// Outcome is a result with what it is about. Its ID is that of its run; a resident's is its run's with a number.
type Outcome struct {
	ID      string    `json:"id"`
	Cluster string    `json:"cluster"`
	Case    string    `json:"case"`
	Target  string    `json:"target,omitempty"`
	Node    string    `json:"node,omitempty"` // on which it ran
	Version string    `json:"version,omitempty"`
	Program string    `json:"program,omitempty"` // that ran, as ConfigSpec.Program has it
	Cause   Cause     `json:"cause"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended"`
	Result
}

// Said is what whoever runs the probes of a cluster says of them. Said twice, it is said once: outcomes go by their IDs, and of two stands
// of one case and target the one with the later result counts.
type Said struct {
	Cluster  string    `json:"cluster"`
	At       time.Time `json:"at"`
	Stands   []Stand   `json:"stands,omitempty"`   // of those that changed, and each minute of all
	Gone     []string  `json:"gone,omitempty"`     // cases that the cluster has no more
	Outcomes []Outcome `json:"outcomes,omitempty"` // since it was said last
	Turns    []Turn    `json:"turns,omitempty"`    // of stands, before those that are said
	Dropped  int64     `json:"dropped,omitempty"`  // outcomes that were left out, as there was no room for them while nobody could be told
	// Whole says that Cases are all that the cluster has by At: of any other case nothing is known there any more. Without it Cases says
	// nothing.
	Whole bool     `json:"whole,omitempty"`
	Cases []string `json:"cases,omitempty"`
}

// Turn is that a case came to be in a state at a target, and has come to be in another one since.
type Turn struct {
	Case   string    `json:"case"`
	Target string    `json:"target,omitempty"`
	State  State     `json:"state"`
	Since  time.Time `json:"since"`
}

// At is the state by a time: nothing that was seen too long ago says anything.
func (s *Stand) At(now time.Time) State {
	if !s.Until.IsZero() && now.After(s.Until) {
		return Unknown
	}
	return s.State
}
