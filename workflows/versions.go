package workflows

import "go.temporal.io/sdk/workflow"

// shape is the order in which workflow code asks Temporal for things. An execution keeps the shape that it began with, for
// as long as it lives, whatever worker takes it up later; a child and a run that continues as new begin with the newest.
// Decision 0009 says how a shape comes and goes.
type shape = workflow.Version

const (
	shapeOne shape = workflow.DefaultVersion // from before shapes were noted; testdata/histories/1
	shapeTwo shape = 2                       // testdata/histories/2

	// NewestShape is the shape with which runs and units begin.
	NewestShape = shapeTwo
)

// What has changed since the first shape, each by the shape that brought it. Code asks r.shape >= one of these where the
// change alters what is asked of Temporal, or in which order; the branch for what was before goes with the last shape that
// needs it.
const (
	approvedByOthers   = shapeTwo // whoever started a run could approve it
	looksApart         = shapeTwo // the run itself looked at units while a group or stage soaked
	tellsChanges       = shapeTwo // units told their run only of what decides something
	closesAsItEnded    = shapeTwo // runs and units that did not end well do not close as completed
	stallsHold         = shapeTwo // a timer beside each batch that moves
	gathersReturned    = shapeTwo // nodes that came back after the last batch were left to the owner's strategy
	waysBackEverywhere = shapeTwo // where nothing was recorded before, only workloads that remember went back
	auditsItself       = shapeTwo // a rollback that nobody asked for was not in the audit
	phasesSort         = shapeTwo // a run that stood at a check showed as Paused, and what stands by itself as Moving
	prunes             = shapeTwo // nobody looked at the configuration that earlier versions left behind
	stagesInParts      = shapeTwo // a run held every cluster of a stage itself, however many
)

// shapeChange is the name under which an execution's history keeps its shape.
const shapeChange = "shape"

// shapeOf returns the shape of this execution. It is asked for once, before anything else.
func shapeOf(ctx workflow.Context) shape {
	return workflow.GetVersion(ctx, shapeChange, shapeOne, NewestShape)
}
