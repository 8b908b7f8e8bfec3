package probe

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

// What a program is told by its environment: the first three as Kuberhealthy says them, too.
const (
	EnvURL         = "KH_REPORTING_URL"
	EnvRun         = "KH_RUN_UUID"
	EnvDeadline    = "KH_CHECK_RUN_DEADLINE" // seconds since 1970
	EnvTermination = "SLUICE_TERMINATION_LOG"
	EnvReportEvery = "SLUICE_REPORT_EVERY" // of a resident while all is well: 1s
)

// termination is where Kubernetes looks for the last words of a container.
const termination = "/dev/termination-log"

// environment is what a program was told.
type environment struct {
	url, run    string
	deadline    time.Time // zero: none
	termination string
	reportEvery time.Duration
}

// Place is where and why Sluice runs a program. Under Kuberhealthy it is empty, but for the namespace.
type Place struct {
	Cluster   string
	Case      string
	Run       string // the label sluice.dev/probe-run of all that the program makes has to have this value, so that it is cleared away
	Namespace string // of its pod
	Target    string // the node that it is about; "" is the cluster
	Revision  string // of what has changed, where it runs for that
}

// Where reads the place from the environment.
func Where() Place {
	return Place{
		Cluster: os.Getenv("SLUICE_CLUSTER"), Case: os.Getenv("SLUICE_PROBE"), Run: os.Getenv("SLUICE_PROBE_RUN"),
		Namespace: os.Getenv("KH_POD_NAMESPACE"), Target: os.Getenv("SLUICE_TARGET"), Revision: os.Getenv("SLUICE_REVISION"),
	}
}

// told reads the environment. A run without a reporting URL is one.
func told() (environment, error) {
	e := environment{url: os.Getenv(EnvURL), run: os.Getenv(EnvRun), termination: os.Getenv(EnvTermination), reportEvery: time.Second}
	if e.termination == "" {
		e.termination = termination
	}
	if text := os.Getenv(EnvDeadline); text != "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return e, fmt.Errorf("cannot read %s %q: it is no number of seconds", EnvDeadline, text)
		}
		e.deadline = time.Unix(seconds, 0)
	}
	if text := os.Getenv(EnvReportEvery); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			return e, fmt.Errorf("cannot read %s %q: it is no duration above 0", EnvReportEvery, text)
		}
		e.reportEvery = d
	}
	return e, nil
}
