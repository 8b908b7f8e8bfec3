// Package change is what a component's change is in one cluster: it renders what should be, compares that with what is there,
// writes the difference, and takes it back. The records hear before every write what it is meant to leave, and after it what it
// left, so that a retry sees its own half-done work as its own.
//
// It must not know Temporal, nor take a Lease, nor move a pod: drivers move pods, and whoever lets it write puts the guard of his
// Lease before the Cluster that he hands over.
package change

import (
	"context"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

// Part is the part of a run that is about one cluster: in whose name something is written there.
type Part struct {
	Run     string
	Subject api.Subject
	Cluster string
	Fence   int64  // of the Lease under which it writes
	Back    bool   // it goes to the plan's way back
	BackOf  string // with Back: the run whose writes are taken back
}

// undone is the run whose writes a part takes back: its own, or those of the run that it was started to take back.
func (p Part) undone() string {
	if p.Back {
		return p.BackOf
	}
	return p.Run
}

// Writer writes the change of a part, and takes it back. All fields are required; Ignore is asked where something that was found
// or recorded is taken back, and never before.
type Writer struct {
	Part    Part
	Cluster Cluster
	Records Journal
	Clock   clock.PassiveClock
	Ignore  func(context.Context) ([]pipelines.IgnoreRule, error)
}

// The steps of writes, as the records keep them.
const (
	stepApply   = "apply"
	stepPrepare = "prepare"
	stepRevert  = "revert"
	stepDelete  = "delete"
)
