// Command probes has the cases that Sluice brings: each is a sub-command, to be run as a probe's program in a cluster. What a case does,
// what it is told by its environment and what it may touch is in docs/probe-cases.md and in the Probe document in its folder.
package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"sluice.dev/sluice/probe"

	"sluice.dev/sluice/probes/apiserver"
	"sluice.dev/sluice/probes/canary"
	"sluice.dev/sluice/probes/certificates"
	"sluice.dev/sluice/probes/deploymentlife"
	"sluice.dev/sluice/probes/etcd"
	"sluice.dev/sluice/probes/inspection"
	"sluice.dev/sluice/probes/internal/trial"
	"sluice.dev/sluice/probes/nodelife"
	"sluice.dev/sluice/probes/podlife"
	"sluice.dev/sluice/probes/web"
)

// usage is the exit status of a command line that means nothing.
const usage = 64

// cases are the ones that end.
var cases = map[string]trial.Case{
	apiserver.Name:      apiserver.Run,
	canary.Name:         canary.Run,
	certificates.Name:   certificates.Run,
	deploymentlife.Name: deploymentlife.Run,
	etcd.Name:           etcd.Run,
	inspection.Name:     inspection.Run,
	nodelife.Name:       nodelife.Run,
	podlife.Name:        podlife.Run,
	web.Name:            web.Run,
}

func main() {
	if len(os.Args) != 2 {
		fail("which case?")
	}
	// A process of the local stack finds its file there.
	if os.Getenv(probe.EnvTermination) == "" {
		_ = os.Setenv(probe.EnvTermination, os.Getenv("TERMINATION_LOG"))
	}
	var err error
	switch name := os.Args[1]; name {
	case canary.Serve:
		err = canary.ServeUntilTold(os.Getenv)
	case apiserver.NameResident:
		resident, every := apiserver.NewResident(os.Getenv)
		err = probe.RunForever(context.Background(), every, trial.Case(resident.Run).Check(os.Getenv))
	default:
		c, ok := cases[name]
		if !ok {
			fail("there is no case " + name)
		}
		probe.Main(c.Check(os.Getenv))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(probe.Error.ExitStatus())
	}
}

func fail(why string) {
	names := append(slices.Collect(maps.Keys(cases)), apiserver.NameResident)
	slices.Sort(names)
	fmt.Fprintf(os.Stderr, "%s\nusage: probes CASE\ncases: %s\n", why, strings.Join(names, ", "))
	os.Exit(usage)
}
