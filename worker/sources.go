package worker

import (
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/probe"
)

// sources are the kinds of checks that a worker measures, by the name of the step's field. Gates are known to every measurer.
func sources() check.Sources {
	clocked := clock.RealClock{}
	prober := probe.New(clocked, nil)
	all := check.NewProbes(prober, clocked)
	all["window"] = check.Windows(clocked)
	all["logs"] = check.NewLogs(clocked)
	all["workload"] = check.NewWorkload(clocked, prober)
	return all
}
