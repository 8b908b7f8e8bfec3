package plan

import (
	"fmt"
	"slices"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

// Doing is what a run does, as far as it decides which commands it takes.
type Doing struct {
	Run, Plan, By string // its name, its plan's hash, and who started it
	Component     string
	Rollback      pipelines.RollbackMode // of the component
	Closing       bool                   // its end is being written down
	Aborting      bool
	Paused        bool
	ByPerson      bool // who has paused it
	RollingBack   bool
	Awaits        bool                 // a stage waits for approval
	Approvers     Approvers            // who may approve that stage
	Rejected      string               // who has rejected a stage, and why; "" where nobody has
	ByOthers      bool                 // whoever started it does not approve it
	Has           func(api.Scope) bool // the scope names something of it
	GoesBack      func(api.Scope) bool // something in the scope can go back
	Among         func(api.Scope) []api.UnitStatus
	Soaks         string // as a whole: "stage production"; "" where nothing does
	Again         bool   // something of it stands, or has failed and can begin anew
	Left          string // a cluster that failed in a group or stage that the run has left
}

// Bounds on what a command says.
const (
	mostID     = 200
	mostReason = 4000
	mostNamed  = 500 // clusters
)

// Overlong says what of a command is longer than a run keeps; "" where nothing is.
func Overlong(c api.Command) string {
	switch {
	case len(c.ID) > mostID:
		return fmt.Sprintf("its id has %d bytes, and %d may be", len(c.ID), mostID)
	case len(c.Reason) > mostReason:
		return fmt.Sprintf("its reason has %d bytes, and %d may be", len(c.Reason), mostReason)
	case len(c.Scope.Clusters) > mostNamed:
		return fmt.Sprintf("it names %d clusters, and %d may be", len(c.Scope.Clusters), mostNamed)
	}
	return ""
}

// Refuses says why a run does not take a command, to be read after "cannot"; "" where it takes it.
func (d Doing) Refuses(name string, c api.Command) string {
	switch {
	case c.Who == "":
		return fmt.Sprintf("%s %s: the command does not say who asks", name, d.Run)
	case d.Closing:
		return fmt.Sprintf("%s %s: it has just ended", name, d.Run)
	}
	if long := Overlong(c); long != "" {
		return fmt.Sprintf("%s %s: %s", name, d.Run, long)
	}
	if first := d.overruled(name, c); first != "" {
		return fmt.Sprintf("%s %s: %s", name, d.Run, first)
	}
	switch name {
	case api.UpdatePause, api.UpdateResume, api.UpdateAbort:
		return ""
	case api.UpdateApprove:
		return d.refusesApproval(c)
	case api.UpdateReject:
		return d.refusesRejection(c)
	case api.UpdateRollback:
		return d.refusesRollback(c.Scope)
	case api.UpdateSkip:
		return d.refusesSkip(c)
	case api.UpdateEndSoak:
		return d.refusesEndSoak(c)
	case api.UpdateRetry:
		return d.refusesRetry()
	case api.UpdateRetreat:
		return d.refusesRetreat(c)
	}
	return fmt.Sprintf("%s %s: there is no such command", name, d.Run)
}

// Precedence lists the commands to a run, what goes first first. While a rollback or an abort is in force, what goes behind it is
// refused; while a pause is, what would have the run go on all the same. A resume ends a pause: that is what it is for.
func Precedence() []string {
	return []string{
		api.UpdateRollback, api.UpdateAbort, api.UpdateReject, api.UpdatePause, api.UpdateSkip, api.UpdateEndSoak, api.UpdateRetry,
		api.UpdateRetreat, api.UpdateResume, api.UpdateApprove,
	}
}

// overruled says which command that is in force goes before another one; "" where none does.
func (d Doing) overruled(name string, c api.Command) string {
	behind := func(first string) bool {
		return slices.Index(Precedence(), name) > slices.Index(Precedence(), first)
	}
	switch {
	case d.RollingBack && name == api.UpdateAbort && !c.Abandon:
		return "it is rolling back; --abandon-rollback leaves it as it is, half done"
	case d.RollingBack && behind(api.UpdateAbort) && name != api.UpdateResume: // which has one go on that stands
		return "it is rolling back, and a rollback goes before that"
	case d.Aborting && behind(api.UpdateAbort) && d.Rejected != "":
		return d.Rejected + "; once it has ended, a retry of it asks anew"
	case d.Aborting && behind(api.UpdateAbort):
		return "it is being aborted"
	case d.ByPerson && name == api.UpdateRetry, d.Paused && name == api.UpdateEndSoak:
		return "it is paused; resume it first"
	}
	return ""
}

func (d Doing) refusesRetry() string {
	switch {
	case d.Again:
		return ""
	case d.Left != "":
		return fmt.Sprintf("retry %s: it has gone on from where %s failed; retry it once it has ended", d.Run, d.Left)
	}
	return fmt.Sprintf("retry %s: nothing of it stands or has failed", d.Run)
}

func (d Doing) refusesRollback(scope api.Scope) string {
	switch {
	case d.Rollback == pipelines.RollbackNever:
		return fmt.Sprintf("roll back %s: component %s says rollback: Never", d.Run, d.Component)
	case !scope.Whole() && !d.Has(scope):
		return fmt.Sprintf("roll back %s: it has no %s", d.Run, scope)
	case !d.GoesBack(scope):
		return fmt.Sprintf("roll back %s: no way back was recorded for %s when its plan was made", d.Run, scope)
	}
	return ""
}
