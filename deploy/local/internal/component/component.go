// Package component holds the parts of a stack: Kubernetes' own components,
// etcd, KWOK with its simulated kubelets, the process node, and the Temporal server with its Web
// UI. Each runs alone in a process. The package starts no process itself.
package component

import (
	"fmt"
	"os"

	"sluice.dev/sluice/deploy/local/internal/stack"
)

// Run is the main function of a part. It returns the exit code.
func Run(part string, args []string) int {
	var err error
	switch part {
	case stack.Etcd:
		err = runEtcd(args)
	case stack.Kwok:
		err = runKwok(args)
	case stack.ProcessNode:
		err = runNode(args)
	case stack.Temporal:
		err = runTemporal(args)
	case stack.APIServer, stack.ControllerManager, stack.Scheduler:
		return runKubernetes(part, args)
	default:
		err = fmt.Errorf("cannot run part %q: there is no such part", part)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
