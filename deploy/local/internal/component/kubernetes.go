package component

import (
	"os"
	_ "time/tzdata" // CronJobs name time zones
	_ "unsafe"      // for go:linkname

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"

	"sluice.dev/sluice/deploy/local/internal/stack"
)

// Kubernetes' own build sets its version through the linker. Without it the API
// server calls itself v0.0.0-master and charts that ask for a version refuse
// it.
var (
	//go:linkname gitVersion k8s.io/component-base/version.gitVersion
	gitVersion string
	//go:linkname gitMajor k8s.io/component-base/version.gitMajor
	gitMajor string
	//go:linkname gitMinor k8s.io/component-base/version.gitMinor
	gitMinor string
	//go:linkname gitTreeState k8s.io/component-base/version.gitTreeState
	gitTreeState string
)

func nameVersion() error {
	gitVersion, gitMajor, gitMinor, gitTreeState = stack.KubernetesVersion, "1", "36", "clean"
	return version.SetDynamicVersion(stack.KubernetesVersion)
}

func runKubernetes(part string, args []string) int {
	if err := nameVersion(); err != nil {
		os.Stderr.WriteString("cannot set version: " + err.Error() + "\n")
		return 1
	}
	var command *cobra.Command
	switch part {
	case stack.APIServer:
		command = apiserver.NewAPIServerCommand()
	case stack.ControllerManager:
		command = controllermanager.NewControllerManagerCommand()
	default:
		command = scheduler.NewSchedulerCommand()
	}
	os.Args = append([]string{"kube-" + part}, args...)
	command.SetArgs(args)
	return cli.Run(command)
}
