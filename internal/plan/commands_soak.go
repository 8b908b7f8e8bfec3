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
		soaking := u.Phase == api.PhaseSoaking
		if soaks = soaks || soaking; !soaking && !c.Scope.Whole() {
			return fmt.Sprintf("end the soak of %s in %s: it is %s, and soaks not by itself%s", u.Cluster, d.Run, u.Phase, d.soaksWhole())
		}
	}
	if !soaks {
		return fmt.Sprintf("end a soak of %s: nothing of it soaks now", d.Run)
	}
	return ""
}

func (d Doing) soaksWhole() string {
	if d.Soaks == "" {
		return ""
	}
	return "; " + d.Soaks + " soaks as a whole: name no cluster"
}
