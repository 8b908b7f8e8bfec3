package worker

import "sluice.dev/sluice/internal/check"

// sources are the kinds of checks that a worker measures, by the name of the step's field. Gates are known to every measurer.
func sources() check.Sources {
	return check.Sources{}
}
