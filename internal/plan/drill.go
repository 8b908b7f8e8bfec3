package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sluice.dev/sluice/internal/api"
)

// Proven is what a run of a version that is known to be bad has proven so far. Outcome is DrillRuns where it is too soon to tell.
type Proven struct {
	Outcome api.DrillOutcome
	Message string
	Check   string // that stopped it
	At      string // path of the batch, unit or stage that it was stopped at
}

// Prove tells what the run of a drill has proven. It is stopped where a check that looked found it bad, while no more clusters had
// moved than may: what could not look, and what held it before it had moved anything, is no proof. Late is that its time is over.
func Prove(d api.Drill, s *api.RunStatus, late bool) Proven {
	moved := 0
	for _, st := range s.Stages {
		for _, u := range st.Units {
			if u.Moved {
				moved++
			}
		}
	}
	by, ended := stoppedBy(s), s.Phase.Final()
	stands := ended || s.Phase.Stands() || s.Phase == api.PhaseRollingBack
	switch {
	case s.Phase == api.PhaseSucceeded:
		return Proven{Outcome: api.DrillNotStopped, Message: "it went all the way: nothing stopped it"}
	case ended && moved == 0:
		return Proven{Outcome: api.DrillNotRun, Message: fmt.Sprintf("it ended as %s before it had moved anything", s.Phase)}
	case ended && !s.Ending.ByItself() && by == nil:
		return Proven{Outcome: api.DrillNotRun, Message: fmt.Sprintf("%s ended it before any check did", s.Ending.By)}
	case stands && moved > 0 && by != nil:
		return by.proves(d, moved)
	case ended:
		return Proven{Outcome: api.DrillNotStopped, Message: fmt.Sprintf("it ended as %s, and no check found it bad", s.Phase)}
	case !late:
		return Proven{Outcome: api.DrillRuns}
	}
	waits := s.WaitsFor()
	if waits == nil {
		waits = &api.Waiting{Kind: api.WaitNothing}
	}
	still := fmt.Sprintf("it is %s and waits for %s", s.Phase, cmp.Or(waits.Name, string(waits.Kind)))
	switch {
	case waits.Kind == api.WaitFreeze:
		return Proven{Outcome: api.DrillNotRun, Message: fmt.Sprintf("%s held it for all of its time", waits.Name)}
	case moved == 0 && stands:
		return Proven{Outcome: api.DrillNotRun, Message: still + ", and has moved nothing"}
	}
	return Proven{Outcome: api.DrillNotStopped, Message: fmt.Sprintf("nothing had stopped it within %s: %s", d.Within, still)}
}

// stop is the check that a run was stopped by, and where.
type stop struct {
	check *api.Check
	at    string
}

// stoppedBy is what stopped the first unit or stage of a run, or the run itself; nil where nothing did.
func stoppedBy(s *api.RunStatus) *stop {
	for i := range s.Stages {
		st := &s.Stages[i]
		for j := range st.Units {
			switch u := &st.Units[j]; {
			case u.Cause != nil:
				return &stop{u.Cause, cmp.Or(u.CauseAt, u.Path)}
			case u.Failure != nil:
				return &stop{u.Failure, cmp.Or(u.FailedAt, u.Path)}
			}
		}
		if c, bad := FirstBad(st.Checks); bad {
			return &stop{&c, "stage " + st.Name}
		}
	}
	if c, bad := FirstBad(s.Checks); bad {
		return &stop{&c, "run"}
	}
	return nil
}

// proves is what a stop proves, after so many clusters had moved.
func (b *stop) proves(d api.Drill, moved int) Proven {
	p := Proven{Outcome: api.DrillNotStopped, Check: b.check.Name, At: b.at}
	switch {
	case len(d.Checks) > 0 && !slices.Contains(d.Checks, b.check.Name):
		p.Message = fmt.Sprintf("check %s stopped it, and %s should have", b.check.Name, strings.Join(d.Checks, " or "))
	case b.check.Verdict != api.Failed && b.check.Name != api.Progress:
		p.Message = fmt.Sprintf("check %s held it as %s: what cannot tell that a version is bad proves nothing", b.check.Name, b.check.Verdict)
	case moved > d.Moves:
		p.Message = fmt.Sprintf("%s had moved when check %s stopped it, and %d may", count(moved, "cluster"), b.check.Name, d.Moves)
	default:
		p.Outcome = api.DrillStopped
	}
	return p
}
