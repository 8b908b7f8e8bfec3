package traces

import (
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/step"
)

const (
	attrUnmet = "sluice.unmet"
	maxUnmet  = 5
	maxCheck  = 100 // bytes of a name
)

// unmetOf lists the checks that an activity found to be neither passed nor skipped, with their verdicts; "" for none. What they have seen
// stays where it is.
func unmetOf(answer any) string {
	var found []api.Check
	switch a := answer.(type) {
	case []api.Check:
		found = a
	case api.Facts:
		found = a.Checks
	case step.AttemptResult:
		found = a.Steps
	}
	var unmet []string
	for _, c := range found {
		if c.Verdict != api.Passed && c.Verdict != api.Skipped {
			unmet = append(unmet, clip.Bytes(c.Name, maxCheck)+" "+string(c.Verdict))
		}
	}
	return clip.Few(unmet, maxUnmet)
}
