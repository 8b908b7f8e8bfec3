package api

import (
	"time"

	"sluice.dev/sluice/internal/identity"
	"sluice.dev/sluice/pipelines/calendar"
)

// WaitKind is the kind of thing that something waits for.
type WaitKind string

// What something waits for. Lock, permit, cluster, retry, worker and turn end by themselves, and so do freezes that say until when;
// approval, decision, person and budget need somebody.
const (
	WaitLock     WaitKind = "lock"     // another run has the unit
	WaitPermit   WaitKind = "permit"   // another unit in the cluster or its failure domain is in trouble, or as many change as may
	WaitCluster  WaitKind = "cluster"  // it is out of reach, or does not let us work
	WaitRetry    WaitKind = "retry"    // a step that failed and is tried again
	WaitWorker   WaitKind = "worker"   // nobody serves the run
	WaitTurn     WaitKind = "turn"     // what goes before it has not ended
	WaitCheck    WaitKind = "check"    // one runs, or did not pass
	WaitTasks    WaitKind = "tasks"    // what the run does beside its stages
	WaitPods     WaitKind = "pods"     // a batch, or a workload on its way back
	WaitSoak     WaitKind = "soak"     // quiet time that is not over
	WaitApproval WaitKind = "approval" // of a stage
	WaitDecision WaitKind = "decision" // what becomes of a unit, or of a rollback, that stands
	WaitPerson   WaitKind = "person"   // whoever paused it
	WaitFreeze   WaitKind = "freeze"   // that it is lifted
	WaitBudget   WaitKind = "budget"   // more units are out of reach than the stage bears
	WaitRollback WaitKind = "rollback" // a run that takes back
	WaitNothing  WaitKind = "nothing"  // a stage that is skipped
)

// Waiting says what something waits for.
type Waiting struct {
	Kind  WaitKind  `json:"kind"`
	Name  string    `json:"name,omitempty"`
	Since time.Time `json:"since"`
	Until time.Time `json:"until,omitzero"` // when it changes by itself
	Unmet []string  `json:"unmet,omitempty"`
	Owner string    `json:"owner,omitempty"` // who can act
}

// WaitsFor is what a run waits for: its own reason, else its stage's, else that of the unit that needs somebody most, else
// that of the first that waits for anything. Nil where nothing does.
func (r *RunStatus) WaitsFor() *Waiting {
	if r.Waiting != nil || r.Phase.Final() {
		return r.Waiting
	}
	var first *UnitStatus
	for i := range r.Stages {
		if r.Stages[i].Waiting != nil {
			return r.Stages[i].Waiting
		}
		for j := range r.Stages[i].Units {
			u := &r.Stages[i].Units[j]
			if u.Waiting != nil && (first == nil || u.Phase.Urgency() > first.Phase.Urgency()) {
				first = u
			}
		}
	}
	if first == nil {
		return nil
	}
	return first.Waiting
}

// Actor is who can act. What a program has paused goes on when somebody says so: a program asks for no decision that it could take itself.
func (w *Waiting) Actor() string {
	if w.Kind == WaitPerson && w.Owner != "" && identity.Invoker(w.Owner) != calendar.Person {
		return "whoever may " + w.Name + " it"
	}
	return w.Owner
}
