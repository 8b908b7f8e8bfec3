package cli

import (
	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/prober"
)

func newCmdProbeCRDs(f *Factory) *cobra.Command {
	return &cobra.Command{
		Use:   "crds",
		Short: "Print what a cluster has to know to have probes run in it",
		Long: `Print the CustomResourceDefinitions of ProbeConfig and ProbeRun. The chart of the agent brings them, and an
agent that may write them does where they are missing; else somebody who may does.`,
		Example: `  sluice probe crds > probes.yaml`,
		Args:    exactly(),
		RunE:    func(*cobra.Command, []string) error { return write(f.Out, []byte(prober.Definitions())) },
	}
}
