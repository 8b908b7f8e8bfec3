package plan

import (
	"fmt"

	"sluice.dev/sluice/pipelines"
)

// Failing is a stage of which a unit has just failed: that a check said so. What could not be judged holds its unit, and
// nothing else.
type Failing struct {
	Stage       string
	Failed      int // units of the stage, this one among them
	MaxFailures int
	OnFailure   pipelines.OnFailure
	Rollback    pipelines.RollbackMode // of the component
}

// Consequence is what a failed unit means for its run.
type Consequence string

// The consequences.
const (
	Borne     Consequence = "Borne"     // the unit ends, and the run goes on without it
	TakenBack Consequence = "TakenBack" // the whole run goes back
	Undecided Consequence = "Undecided" // the run pauses until somebody decides
)

// Consequence says what the failure means, and why the stage bears it where it does.
func (f Failing) Consequence() (Consequence, string) {
	switch {
	case f.Failed <= f.MaxFailures:
		return Borne, fmt.Sprintf("stage %s bears it: %s failed so far, maxFailures is %d", f.Stage, count(f.Failed, "unit"), f.MaxFailures)
	case f.OnFailure == pipelines.Continue:
		return Borne, fmt.Sprintf("the pipeline says onFailure: Continue; %s of stage %s failed so far", count(f.Failed, "unit"), f.Stage)
	case f.OnFailure == pipelines.Rollback && f.Rollback == pipelines.RollbackAuto:
		return TakenBack, ""
	}
	return Undecided, ""
}
