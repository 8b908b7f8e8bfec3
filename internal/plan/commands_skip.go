package plan

import (
	"fmt"

	"sluice.dev/sluice/internal/api"
)

// mostNamed is how many clusters a command may name.
const mostNamed = 500

func (d Doing) refusesSkip(c api.Command) string {
	switch {
	case d.RollingBack:
		return fmt.Sprintf("skip in %s: it is rolling back", d.Run)
	case d.Aborting:
		return fmt.Sprintf("skip in %s: it is being aborted", d.Run)
	case c.Reason == "":
		return fmt.Sprintf("skip in %s: no reason is given, and what is skipped is not changed as the plan says", d.Run)
	case len(c.Scope.Clusters) == 0 || c.Scope.Stage != "" || c.Scope.Group != "":
		return fmt.Sprintf("skip in %s: it takes names of clusters", d.Run)
	case len(c.Scope.Clusters) > mostNamed:
		return fmt.Sprintf("skip in %s: %d clusters are named, and %d may be", d.Run, len(c.Scope.Clusters), mostNamed)
	}
	for _, name := range c.Scope.Clusters {
		one := api.Scope{Clusters: []string{name}}
		if !d.Has(one) {
			return fmt.Sprintf("skip in %s: it has no %s", d.Run, one)
		}
		for _, u := range d.Among(one) {
			if no := notSkipped(u.Phase, d.Run, name); no != "" {
				return fmt.Sprintf("skip %s in %s: it is %s; %s", name, d.Run, u.Phase, no)
			}
		}
	}
	return ""
}

// notSkipped says what to do instead about a unit that is not skipped; "" where it can be.
func notSkipped(p api.Phase, run, cluster string) string {
	switch p {
	case api.PhaseSucceeded:
		return fmt.Sprintf("to take it back: rollback %s --cluster %s", run, cluster)
	case api.PhaseRollingBack, api.PhaseRolledBack:
		return "it stays on its way back"
	case api.PhaseWaiting, api.PhaseMoving, api.PhaseSoaking, api.PhaseChecking:
		return fmt.Sprintf("pause %s first, which stops and disarms it", run)
	}
	return ""
}
