package notify

import (
	"encoding/json"
	"fmt"
	"time"

	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/pipelines"
)

// Event is something that happened to a run, or to what probes find, as receivers are told of it. Templates read its fields.
type Event struct {
	Key          string                `json:"key"` // the same however often it is told
	Event        pipelines.NotifyEvent `json:"event"`
	Was          pipelines.NotifyEvent `json:"was,omitempty"` // of resumed: what it stood for
	Run          string                `json:"run,omitempty"`
	Component    string                `json:"component,omitempty"`
	Version      string                `json:"version,omitempty"`
	Back         string                `json:"back,omitempty"` // the run that this one takes back
	Phase        string                `json:"phase,omitempty"`
	WaitsFor     string                `json:"waitsFor,omitempty"`
	By           string                `json:"by,omitempty"`
	Reason       string                `json:"reason,omitempty"`
	Ending       string                `json:"ending,omitempty"` // by whom and why, where a person ended it or something took it back
	Environments []string              `json:"environments,omitempty"`
	Clusters     int                   `json:"clusters"`
	Started      time.Time             `json:"started,omitzero"`
	At           time.Time             `json:"at"`
	Suspects     []string              `json:"suspects,omitempty"` // what else had touched a cluster that failed, the most likely first
	Probes       *Turned               `json:"probes,omitempty"`   // of an event about probes; such an event is about no run
	Test         bool                  `json:"test,omitempty"`
}

// maxReason is how much of a reason, or of what a run waits for, is told.
const maxReason = 500

// The bounds of what is said of suspects.
const (
	maxSuspects = 3
	maxSuspect  = 300
)

func newEvent(kind pipelines.NotifyEvent, n int, run ledger.Run, seen Seen, at time.Time) Event {
	return Event{
		Key: fmt.Sprintf("%s/%s/%d", run.Name, kind, n), Event: kind, Run: run.Name, Component: run.Subject.String(), Version: run.Version,
		Back: run.Back, Phase: seen.Phase, WaitsFor: clip.Bytes(seen.WaitsFor, maxReason), By: run.By, Reason: clip.Bytes(run.Reason, maxReason),
		Started: run.Started.UTC(), At: at.UTC(),
	}
}

func readEvent(body string) (Event, error) {
	var e Event
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		return e, fmt.Errorf("cannot read what happened: %w", err)
	}
	return e, nil
}

// Sample is an event that never happened, for trying out a receiver.
func Sample(receiver string, now time.Time) Event {
	return Event{
		Key: fmt.Sprintf("test/%s/%d", receiver, now.UnixNano()), Event: pipelines.EventHeld, Run: "sample-1", Component: "sample",
		Version: "1.0.0", Phase: "Held", WaitsFor: "decision e2e/e2e-1: this is a test", By: "sluice", Reason: "a test of receiver " + receiver,
		Environments: []string{"e2e"}, Clusters: 1, Started: now.Add(-time.Minute).UTC(), At: now.UTC(), Test: true,
	}
}

// ProbeSample is an event about probes that never happened, for trying out a receiver that hears of them.
func ProbeSample(receiver string, now time.Time) Event {
	e := newTurnEvent(fmt.Sprintf("test/%s/%d", receiver, now.UnixNano()), probing.Failing, []Turn{{
		Case: "sample", Cluster: "e2e-1", State: probing.Failing, Since: now.Add(-time.Minute).UTC(), Target: "node-1", Targets: 1,
		Severity: usualSeverity, Owner: "team", Enforcing: true, Run: "sample-1", Code: "Sample", Says: "a test of receiver " + receiver,
		environment: "e2e",
	}}, now)
	e.Test = true
	return e
}
