package worker

import (
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/probe"
)

// sources are the kinds of checks that a worker measures, by the name of the step's field. Gates are known to every measurer.
func sources() check.Sources {
	clocked := clock.RealClock{}
	all := check.NewProbes(probe.New(clocked, nil), clocked)
	all["window"] = check.Windows(clocked)
	all["logs"] = check.NewLogs(clocked)
	return all
}
