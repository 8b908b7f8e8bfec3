package step

import "sluice.dev/sluice/internal/api"

// Closed returns once no workflow of an ID is open, however it closed.
var Closed = idle[string, Note]("workflow.Closed")

// TakeBack has a run that has ended taken back, by a run of its own, as a command would. What came of it, a refusal too, is in the audit.
var TakeBack = vital[TakeBackRequest, Note]("workflow.TakeBack")

// TakeBackRequest is a rollback that a run was asked for too late to obey it.
type TakeBackRequest struct {
	Run     string      `json:"run"`
	Command api.Command `json:"command"`
}
