package worker

import (
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/logscan"
	"sluice.dev/sluice/internal/probe"
	"sluice.dev/sluice/internal/secret"
)

// sources are the kinds of checks that a worker measures, by the name of the step's field. Scripts are the executables that they may
// run, by name; image is that of pods that ask from inside clusters. Gates are known to every measurer.
func sources(scripts map[string]string, image string) check.Sources {
	clocked := clock.RealClock{}
	prober := probe.New(clocked, nil)
	all := check.NewProbes(prober, clocked, image)
	all["window"] = check.Windows(clocked)
	all["logs"] = check.NewLogs(clocked)
	all["workload"] = check.NewWorkload(clocked, prober)
	all["job"] = check.NewJobs(clocked, logscan.Mask)
	all["probe"] = check.NewProbeCases(clocked, logscan.Mask)
	all["script"] = check.NewScripts(scripts, logscan.Mask)
	all["metrics"] = check.NewMetrics(clocked, check.NewDataSources(secret.Environment()))
	return all
}
