package plan

import (
	"fmt"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/identity"
)

// shortestHash is how many characters of a plan's hash tell it from others well enough for an approval.
const shortestHash = 6

func (d Doing) refusesApproval(c api.Command) string {
	switch {
	case len(c.Plan) < shortestHash:
		return fmt.Sprintf("approve %s: %q is too short for a plan's hash; give its first %d characters or more", d.Run, c.Plan, shortestHash)
	case !strings.HasPrefix(d.Plan, c.Plan):
		return fmt.Sprintf("approve %s: it runs plan %.12s, the approval is for %q; read that one, and name it", d.Run, d.Plan, c.Plan)
	case !d.Awaits:
		return fmt.Sprintf("approve %s: no stage waits for approval", d.Run)
	case d.ByOthers && identity.Same(c.Who, d.By):
		return fmt.Sprintf("approve %s: %s started it, and whoever starts a run does not approve it", d.Run, d.By)
	}
	if no := d.Approvers.refuses(c.Who); no != "" {
		return fmt.Sprintf("approve %s: %s", d.Run, no)
	}
	return ""
}

// refusesRejection lets anybody say no: whoever may reject a run may abort it too.
func (d Doing) refusesRejection(c api.Command) string {
	switch {
	case !d.Awaits:
		return fmt.Sprintf("reject %s: no stage waits for approval; an abort ends it", d.Run)
	case c.Reason == "":
		return fmt.Sprintf("reject %s: no reason is given", d.Run)
	}
	return ""
}
