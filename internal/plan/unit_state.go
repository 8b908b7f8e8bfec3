package plan

import (
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines/rule"
)

// StateOf is how far a unit in a phase is, for the others of its group.
func StateOf(p api.Phase) State {
	switch p {
	case api.PhasePending:
		return Pending
	case api.PhaseSucceeded:
		return Succeeded
	case api.PhaseSkipped:
		return Skipped
	case api.PhaseUnreachable, api.PhaseMissed:
		return Unreachable
	case api.PhaseFailed, api.PhaseAborted, api.PhaseRolledBack:
		return Failed
	}
	return Running
}

// StateOfBack is StateOf on the way back: who is back has succeeded.
func StateOfBack(p api.Phase) State {
	if p == api.PhaseRolledBack {
		return Succeeded
	}
	return StateOf(p)
}

// LeftBefore lists what the groups and stages before a group of a stage left behind that did not end well.
func LeftBefore(stages []StagePlan, stage, group int, of func(cluster string) State) []Left {
	var left []Left
	for i, s := range stages[:stage+1] {
		for j, g := range s.Groups {
			if i == stage && j == group {
				return left
			}
			for _, u := range g.Units {
				if state := of(u.Cluster); state == Failed || state == Unreachable {
					left = append(left, Left{Cluster: u.Cluster, Group: u.Group, State: state, SameStage: i == stage})
				}
			}
		}
	}
	return left
}

// StageFacts sums up where units are, for the gates of their group or stage.
func StageFacts(name string, units []api.UnitStatus) rule.Stage {
	f := rule.Stage{Name: name, Units: int64(len(units))}
	for _, u := range units {
		switch u.Phase {
		case api.PhaseSucceeded:
			f.Succeeded++
		case api.PhaseFailed, api.PhaseRolledBack, api.PhaseAborted:
			f.Failed++
		case api.PhaseUnreachable, api.PhaseMissed:
			f.Unreachable++
		case api.PhaseSkipped:
			f.Units-- // it proves nothing
		default:
			f.Waiting++
		}
	}
	return f
}
