package plan

import (
	"fmt"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

func (d Doing) refusesRetreat(c api.Command) string {
	switch {
	case c.Reason == "":
		return fmt.Sprintf("take back a batch of %s: no reason is given", d.Run)
	case c.Scope.Stage != "" || c.Scope.Group != "" || len(c.Scope.Clusters) != 1:
		return fmt.Sprintf("take back a batch of %s: it takes the name of one cluster", d.Run)
	case d.Rollback == pipelines.RollbackNever:
		return fmt.Sprintf("take back a batch of %s: component %s says rollback: Never", d.Run, d.Component)
	}
	if no := d.misnames(c.Scope); no != "" {
		return fmt.Sprintf("take back a batch of %s: %s", d.Run, no)
	}
	for _, u := range d.Among(c.Scope) {
		if no := d.notRetreating(u); no != "" {
			return fmt.Sprintf("take back a batch of %s in %s: %s", u.Cluster, d.Run, no)
		}
	}
	return ""
}

// notRetreating says why a unit's last batch does not go back alone, and what to do instead; "" where it does.
// What a pause has stopped may not have said so yet.
func (d Doing) notRetreating(u api.UnitStatus) string {
	switch {
	case u.Phase.Stands(), u.Phase == api.PhasePaused:
		if u.Last == nil {
			return fmt.Sprintf("none that has moved can go back alone: its workload was not there before, or is given back already; "+
				"for all of the cluster: rollback %s --cluster %s", d.Run, u.Cluster)
		}
		return ""
	case u.Phase == api.PhaseUnreachable:
		return "it is out of reach, and nothing can be taken back there before it answers"
	case u.Phase.Final(), u.Phase == api.PhasePending, u.Phase == api.PhaseLocked, u.Phase == api.PhaseRollingBack, !u.Moved:
		return fmt.Sprintf("it is %s, and no batch of it stands", u.Phase)
	case !d.Paused:
		return fmt.Sprintf("it is %s; pause %s first, which stops and disarms it", u.Phase, d.Run)
	}
	return ""
}
