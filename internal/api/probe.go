package api

import (
	"strings"
	"time"
)

// QueryProbed is the query that a Probe answers with a Probed.
const QueryProbed = "probed"

// ProbeSubject is which cases somebody wants run. One of Case, Set and Event is there.
type ProbeSubject struct {
	Case  string `json:"case,omitempty"`
	Set   string `json:"set,omitempty"`   // each case of a ProbeSet
	Event string `json:"event,omitempty"` // each case that answers to what was posted under the name
}

// String is the subject as it stands in IDs: pod-life, set:control-plane, event:failover.
func (s ProbeSubject) String() string {
	switch {
	case s.Set != "":
		return "set:" + s.Set
	case s.Event != "":
		return "event:" + s.Event
	}
	return s.Case
}

// ProbeInput starts a Probe: in one cluster, for one cause.
type ProbeInput struct {
	ProbeSubject
	Cluster string   `json:"cluster"`
	Context string   `json:"context"`
	Site    string   `json:"site,omitempty"`
	Nodes   []string `json:"nodes,omitempty"` // that the cases are run for; none: those that they are about
	Key     string   `json:"key"`             // of the cause
	By      string   `json:"by"`
	Reason  string   `json:"reason,omitempty"`
}

// ID names what was wanted, and what comes of it: CLUSTER/SUBJECT/KEY.
func (in ProbeInput) ID() string { return strings.Join([]string{in.Cluster, in.String(), in.Key}, "/") }

// ProbeWorkflowID is the workflow ID of a Probe.
func ProbeWorkflowID(id string) string { return "probe/" + id }

// Probed is what came of cases that somebody had run in a cluster.
type Probed struct {
	ID      string      `json:"id"`
	Cluster string      `json:"cluster"`
	By      string      `json:"by"`
	Started time.Time   `json:"started"`
	Ended   time.Time   `json:"ended,omitzero"`
	Runs    []ProbedRun `json:"runs,omitempty"`    // once it has ended
	Problem string      `json:"problem,omitempty"` // why there are none
}

// Verdict is that of all runs: what failed weighs most, then what could not be looked at. It is "" before the end.
func (p Probed) Verdict() Verdict {
	if p.Ended.IsZero() {
		return ""
	}
	if p.Problem != "" {
		return Error
	}
	seen := map[Verdict]bool{}
	for _, r := range p.Runs {
		seen[r.Verdict] = true
	}
	for _, v := range []Verdict{Failed, Error, Inconclusive, Passed} {
		if seen[v] {
			return v
		}
	}
	return Skipped
}

// ProbedRun is one run of a case.
type ProbedRun struct {
	Case    string  `json:"case"`
	Target  string  `json:"target,omitempty"`
	Node    string  `json:"node,omitempty"` // on which it ran
	Run     string  `json:"run,omitempty"`  // its ProbeRun: NAMESPACE/NAME
	ID      string  `json:"id,omitempty"`   // by which the centre keeps its outcome
	Verdict Verdict `json:"verdict"`
	Code    string  `json:"code,omitempty"`
	Message string  `json:"message,omitempty"`
}
