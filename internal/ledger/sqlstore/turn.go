package sqlstore

import "sluice.dev/sluice/internal/api"

// Turn is what a write goes by that reads first: of those that take the same turn one follows the other, and each sees what the one before
// has written. No write takes two.
type Turn string

// The turns. What decides over something takes the turn of it, also where it only ends it.
const (
	// NoTurn is of writes that may come in any order, and between the statements of others.
	NoTurn Turn = ""
	// turnOfPermits is of what says who may enter: an end of a run too, which takes its permits back.
	turnOfPermits Turn = "permits"
	// turnOfFreezes is of all that has a revision of the freezes.
	turnOfFreezes   Turn = "freezes"
	turnOfNotices   Turn = "notices"
	turnOfDocuments Turn = "documents"
	turnOfOutcomes  Turn = "outcomes"
	turnOfDrills    Turn = "drills"
	turnOfAgents    Turn = "agents"
)

// turnOfRuns is of the names of a component's runs.
func turnOfRuns(subject api.Subject) Turn { return Turn("runs of " + subject.String()) }

// turnOfRequests is of what somebody has asked servers to do.
func turnOfRequests(who string) Turn { return Turn("requests of " + who) }

// turnOfUnit is of what was deployed of a component in a cluster.
func turnOfUnit(cluster string, subject api.Subject) Turn {
	return Turn("unit " + cluster + " " + subject.String())
}
