package plan

import (
	"fmt"

	"sluice.dev/sluice/internal/api"
)

func (d Doing) refusesEndSoak(c api.Command) string {
	if c.Reason == "" {
		return fmt.Sprintf("end a soak of %s: no reason is given, and less time is less to be seen", d.Run)
	}
	if no := d.misnames(c.Scope); no != "" {
		return fmt.Sprintf("end a soak of %s: %s", d.Run, no)
	}
	soaks := d.Soaks != "" && c.Scope.Whole()
	for _, u := range d.Among(c.Scope) {
		may := MaySoak(u.Phase)
		if soaks = soaks || may; !may && !c.Scope.Whole() {
			return fmt.Sprintf("end the soak of %s in %s: it is %s, and soaks not by itself%s", u.Cluster, d.Run, u.Phase, d.soaksWhole())
		}
	}
	if !soaks {
		return fmt.Sprintf("end a soak of %s: nothing of it soaks now", d.Run)
	}
	return ""
}

// MaySoak reports whether a unit soaks, or may: its run hears of a soak some seconds after it began.
func MaySoak(heard api.Phase) bool {
	switch heard {
	case api.PhaseSoaking, api.PhaseWaiting, api.PhaseMoving, api.PhaseChecking:
		return true
	}
	return false
}

func (d Doing) soaksWhole() string {
	if d.Soaks == "" {
		return ""
	}
	return "; " + d.Soaks + " soaks as a whole: name no cluster"
}
