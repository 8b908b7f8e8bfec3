// Package shape is the versions of workflow code: the order in which it asks Temporal for things, which an execution keeps as it
// began. It decides nothing else.
package shape

import (
	"go.temporal.io/sdk/workflow"
)

// Shape is the order in which workflow code asks Temporal for things. An execution keeps the shape that it began with, for
// as long as it lives, whatever worker takes it up later; a child and a run that continues as new begin with the newest.
// Decision 0009 says how a shape comes and goes.
type Shape = workflow.Version

// The shapes.
const (
	One   Shape = workflow.DefaultVersion // from before shapes were noted; testdata/histories/1
	Two   Shape = 2                       // testdata/histories/2
	Three Shape = 3                       // testdata/histories/3

	// Newest is the shape with which runs and units begin.
	Newest = Three
)

// What has changed since the first shape, each by the shape that brought it. Code asks r.shape >= one of these where the
// change alters what is asked of Temporal, or in which order; the branch for what was before goes with the last shape that
// needs it.
const (
	ApprovedByOthers   = Two   // whoever started a run could approve it
	LooksApart         = Two   // the run itself looked at units while a group or stage soaked
	TellsChanges       = Two   // units told their run only of what decides something
	ClosesAsItEnded    = Two   // runs and units that did not end well do not close as completed
	StallsHold         = Two   // a timer beside each batch that moves
	GathersReturned    = Two   // nodes that came back after the last batch were left to the owner's strategy
	WaysBackEverywhere = Two   // where nothing was recorded before, only workloads that remember went back
	AuditsItself       = Two   // a rollback that nobody asked for was not in the audit
	PhasesSort         = Two   // a run that stood at a check showed as Paused, and what stands by itself as Moving
	Prunes             = Two   // nobody looked at the configuration that earlier versions left behind
	StagesInParts      = Two   // a run held every cluster of a stage itself, however many
	CountsOn           = Three // background checks were counted anew with each further workload of a unit
	CutShortIsNoFault  = Three // an order that came while a worker died was not obeyed: the unit was held for that
	TakesSkips         = Three // skip, end-soak and retry were unknown
	TakesRejections    = Three // reject was unknown
	TalliesApprovals   = Three // what a run was said to wait for did not count the approvals that came
	RollbacksSpread    = Three // clusters that went back at once did so in one moment
	HearsOfFreezes     = Three // nothing but a pause held a run still
	SoaksEndSeen       = Three // what is measured in the background was not asked once more at the end of a cluster's soak
	TidiesUp           = Three // pods of tasks and soaks stayed until their deadline where who measured them was dead
	TakesBackLate      = Three // a rollback that stood when a run wrote down its end was refused
	WaitsForTheLost    = Three // a cluster that was out of reach for a moment when all others had ended was given up
	AsksForPermits     = Three // a unit began wherever others failed, and however many changed
	AbortsOwed         = Three // a cluster out of reach stayed armed when its run was aborted
	NotesFailures      = Three // nobody wrote down that a unit stood where it had failed before it ended
	TakesBatchesBack   = Three // a batch went back only with all that its cluster had moved
	LooksOnce          = Three // a look that no worker had begun before its soak was over saw nothing, and that was taken for good
	AnswersAtOnce      = Three // whoever gave a command waited until units had been told, and it was in the audit
	SeesNodes          = Three // nobody looked at what had happened to the nodes where a unit failed
	FreezesWhatWasBad  = Three // what had been rolled back could be started again by whoever came next
)

// shapeChange is the name under which an execution's history keeps its shape.
const shapeChange = "shape"

// Of returns the shape of this execution. It is asked for once, before anything else.
func Of(ctx workflow.Context) Shape {
	return workflow.GetVersion(ctx, shapeChange, One, Newest)
}
