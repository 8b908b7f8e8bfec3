package step

// Closed returns once no workflow of an ID is open, however it closed.
var Closed = idle[string, Note]("workflow.Closed")
