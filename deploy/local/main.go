// Command sluice-local runs Kubernetes control planes with simulated nodes and
// a Temporal server on one machine. It is what `sluice local ...` executes.
//
// The same binary is also every part of the stack: the supervisor starts it
// again with the hidden first argument "__part", because two Kubernetes
// components cannot share one process.
package main

import (
	"os"

	"sluice.dev/sluice/deploy/local/internal/cli"
	"sluice.dev/sluice/deploy/local/internal/component"
	"sluice.dev/sluice/deploy/local/internal/proc"
)

func main() {
	if len(os.Args) > 2 && os.Args[1] == proc.PartArg {
		proc.WatchLifeline()
		os.Exit(component.Run(os.Args[2], os.Args[3:]))
	}
	os.Exit(cli.Run(os.Args[1:], component.Kubectl))
}
