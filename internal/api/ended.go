package api

import "errors"

// closed is an error of Temporal with which a workflow closed, and which carries what was said last.
type closed interface {
	error
	HasDetails() bool
	Details(into ...any) error
}

// Ended reads the status out of the error with which a run or a unit closed, into a *Run or a *Unit. It is false for any
// other error: then nobody knows how it ended.
func Ended(err error, end any) bool {
	var last closed
	if !errors.As(err, &last) || !last.HasDetails() {
		return false
	}
	// One that was cancelled has no type; one that failed has the final phase.
	if failed, ok := last.(interface{ Type() string }); ok && !Phase(failed.Type()).Final() {
		return false
	}
	return last.Details(end) == nil
}
