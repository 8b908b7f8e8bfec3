package plan

import (
	"fmt"

	"sluice.dev/sluice/internal/api"
)

func (d Doing) refusesSkip(c api.Command) string {
	switch {
	case c.Reason == "":
		return fmt.Sprintf("skip in %s: no reason is given, and what is skipped is not changed as the plan says", d.Run)
	case len(c.Scope.Clusters) == 0:
		return fmt.Sprintf("skip in %s: it takes names of clusters", d.Run)
	}
	if no := d.misnames(c.Scope); no != "" {
		return fmt.Sprintf("skip in %s: %s", d.Run, no)
	}
	for _, u := range d.Among(c.Scope) {
		if no := d.notSkipped(u.Phase, u.Cluster); no != "" {
			return fmt.Sprintf("skip %s in %s: it is %s; %s", u.Cluster, d.Run, u.Phase, no)
		}
	}
	return ""
}

// misnames says what is wrong with a scope that may name clusters, and nothing else.
func (d Doing) misnames(s api.Scope) string {
	if s.Stage != "" || s.Group != "" {
		return "it takes names of clusters"
	}
	for _, name := range s.Clusters {
		if one := (api.Scope{Clusters: []string{name}}); !d.Has(one) {
			return fmt.Sprintf("it has no %s", one)
		}
	}
	return ""
}

// notSkipped says what to do instead about a unit that is not skipped; "" where it can be.
// What a pause has stopped may not have said so yet.
func (d Doing) notSkipped(p api.Phase, cluster string) string {
	switch p {
	case api.PhaseSucceeded:
		return fmt.Sprintf("to take it back: rollback %s --cluster %s", d.Run, cluster)
	case api.PhaseRollingBack, api.PhaseRolledBack:
		return "it stays on its way back"
	case api.PhaseWaiting, api.PhaseMoving, api.PhaseSoaking, api.PhaseChecking:
		if !d.Paused {
			return fmt.Sprintf("pause %s first, which stops and disarms it", d.Run)
		}
	}
	return ""
}
